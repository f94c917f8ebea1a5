"""The training loop of both stages: resume, step, report, save."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from reasoner.errors import StoreError
from reasoner.files import clipped, replacing, require_regular, shown
from reasoner.train.gpt.muon import schedule
from reasoner.train.progress import Report

Model = TypeVar("Model", bound=nn.Module)


def device() -> str:
    """Return "cuda" if there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def fit(
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    path: Path,
    steps: int,
    losses: Callable[[int], Iterable[str]],
    report: Report,
) -> Path:
    """Optimise until `steps`, resuming from the checkpoint at `path` if there is one.

    `losses` adds the gradients of a step to `model` and yields its losses as text. A checkpoint is
    written atomically every minute, so that a killed run loses at most a minute.
    """
    torch.set_float32_matmul_precision("high")  # A GPU's tensor cores; a CPU computes as before.
    first = _restore(path, model, optimizers)
    started = saved = time.monotonic()
    for step in range(first, steps):
        schedule(optimizers, step / steps)
        loss = " ".join(losses(step))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        now = time.monotonic()
        if step % 20 == 0:
            left = (now - started) / (step - first + 1) * (steps - step)
            report(f"step {step}/{steps}  loss {loss}  {left:.0f} s left")
        if now - saved > 60 or step == steps - 1:
            saved = now
            _save(path, model, optimizers, step + 1)
    return path


def restored(model: Model, path: Path) -> Model:
    """Return `model` with the weights of the checkpoint at `path`."""
    with loading(path) as state:
        model.load_state_dict(state["model"])
    return model


def _restore(path: Path, model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> int:
    if not path.exists():
        return 0
    with loading(path) as state:
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        return int(state["step"])


@contextmanager
def loading(path: Path) -> Generator[Any]:
    """Yield a checkpoint; an error in its use means that it is not of this model."""
    require_regular(path)
    try:
        yield torch.load(path, weights_only=True, map_location=device())
    except Exception as e:  # Foreign files raise anything.
        reason = clipped(str(e).partition("\n")[0] or type(e).__name__)
        raise StoreError(
            f"{shown(path)} is not a checkpoint of this training ({reason}); delete it or choose another"
            " --out"
        ) from e


def _save(path: Path, model: nn.Module, optimizers: list[torch.optim.Optimizer], step: int) -> None:
    states = [o.state_dict() for o in optimizers]
    with replacing(path) as part:
        torch.save({"model": model.state_dict(), "optimizers": states, "step": step}, part)
