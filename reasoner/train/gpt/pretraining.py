"""Pre-training of the embedded GPT on demonstrations of both tasks, resumable at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import torch
from pydantic import BaseModel
from torch.nn.functional import cross_entropy
from transformers import Qwen3ForCausalLM

from reasoner.benchmarks.tasks import countdown, dagmath
from reasoner.benchmarks.tasks.generated import Demonstration
from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import read_bytes, save_json, shown
from reasoner.options import Layers, Width
from reasoner.train.gpt import vocabulary as v
from reasoner.train.gpt.loop import device, fit, restored
from reasoner.train.gpt.model import build, compile_layers
from reasoner.train.gpt.muon import optimizers
from reasoner.train.progress import Report

ROW = {"dagmath": 170, "countdown": 122}
"""Tokens per row: the longest problem with its solution and its end token."""

Demonstrator = Callable[[Random], Demonstration | None]


@dataclass(frozen=True, slots=True)
class PretrainingRecipe:
    """Everything that determines the weights; `steps` counts optimiser steps."""

    steps: int = 1600
    layers: int = 6
    width: int = 192
    seed: int = 0
    dagmath_rows: int = 12
    countdown_rows: int = 40
    muon: float = 0.02
    adam: float = 3e-3


class _Size(BaseModel, extra="ignore"):
    """The part of a recipe that defines the architecture of a policy."""

    layers: Layers
    width: Width


def gentle(recipe: PretrainingRecipe, model: Qwen3ForCausalLM) -> PretrainingRecipe:
    """Return the recipe for further training of a finished `model`: its size, and small steps."""
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    return replace(
        recipe,
        layers=layers,
        width=width,
        dagmath_rows=16,
        countdown_rows=16,
        muon=recipe.muon / 4,
        adam=recipe.adam / 6,
    )


def demonstrators(recipe: PretrainingRecipe) -> list[tuple[Demonstrator, int, int]]:
    """Return (demonstrator, rows per batch, tokens per row) of each task."""
    return [
        (dagmath.demonstrate, recipe.dagmath_rows, ROW["dagmath"]),
        (countdown.demonstrate, recipe.countdown_rows, ROW["countdown"]),
    ]


def batch(
    draw: Demonstrator, rows: int, length: int, rng: Random
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens (rows, length) and a mask of those to imitate, the end token included.

    A demonstration longer than `length` is an error, never skipped: skipping would teach only short
    problems.
    """
    tokens = torch.full((rows, length), v.PAD)
    mask = torch.zeros((rows, length))
    row = 0
    while row < rows:
        demonstration = draw(rng)
        if demonstration is None:
            continue
        ids = [*v.encode(demonstration.prompt + demonstration.solution), v.END]
        tokens[row, : len(ids)] = torch.tensor(ids)
        start = len(demonstration.prompt)
        mask[row, start : len(ids)] = torch.tensor(demonstration.mask).float()
        row += 1
    return tokens, mask


def token_loss(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of every next token, with the two of a pair counted as one."""
    flat = merged(logits).flatten(0, 1)
    return cross_entropy(flat, tokens.flatten(), reduction="none").view_as(tokens)


def merged(logits: torch.Tensor) -> torch.Tensor:
    """Return logits in which the first token of each pair has the probability of both."""
    result = logits.float().clone()
    for first, second in v.PAIRS:
        result[..., first] = torch.logsumexp(logits[..., [first, second]].float(), -1)
        result[..., second] = -1e9
    return result


def trained(folder: Path) -> Qwen3ForCausalLM:
    """Load the policy that `train` wrote to `folder`."""
    path = folder / "recipe.json"
    try:
        recipe = parse_model(_Size, read_bytes(path))
    except Malformed as e:
        raise StoreError(f"{shown(path)} is not a recipe ({e}); run the first stage again") from e
    return restored(build(recipe.layers, recipe.width), folder / "policy.pt")


def train(
    recipe: PretrainingRecipe,
    folder: Path,
    compiled: bool = True,
    report: Report = print,
    model: Qwen3ForCausalLM | None = None,
) -> Path:
    """Train into `folder`/policy.pt, resuming from the last checkpoint there.

    Trains a new model, or `model`, which must have the recipe's layers and width.
    """
    save_json(asdict(recipe), folder / "recipe.json")
    model = model or build(recipe.layers, recipe.width, recipe.seed)
    parts = optimizers(model, recipe.muon, recipe.adam)
    run = compile_layers(model) if compiled else model

    def losses(step: int) -> Iterator[str]:
        rng = Random(f"{recipe.seed}/{step}")
        for draw, rows, length in demonstrators(recipe):
            tokens, mask = (t.to(device()) for t in batch(draw, rows, length, rng))
            logits = run(input_ids=tokens[:, :-1], use_cache=False).logits
            weight = mask[:, 1:]
            loss = (token_loss(logits, tokens[:, 1:]) * weight).sum() / weight.sum()
            (loss / 2).backward()
            yield f"{loss.item():.4f}"

    return fit(model, parts, folder / "policy.pt", recipe.steps, losses, report)
