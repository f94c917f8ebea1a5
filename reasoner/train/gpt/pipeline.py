"""Training of the embedded GPT, in resumable stages: `reasoner train gpt`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from reasoner.errors import ConfigError
from reasoner.files import make_folder, save_json
from reasoner.models.files import ModelFiles
from reasoner.train.progress import say

T = TypeVar("T")

ROWS = {"dagmath": 8, "countdown": 64}
"""Rows of each task in an optimiser step of the verdict stage."""


def run(args: argparse.Namespace) -> dict[str, object]:
    """Run the requested stages, and return their results.

    Raises:
        ConfigError: the options contradict each other, or an earlier stage is missing.
    """
    if args.model and not args.stage:
        raise ConfigError("--model needs --stage: it is for one stage")
    if args.model:
        ModelFiles(str(args.model.absolute()))
    result: dict[str, object] = {"out": str(args.out)}
    for stage in [args.stage] if args.stage else STAGES:
        result |= STAGES[stage](args) or {}
    return result


def policy(args: argparse.Namespace) -> None:
    """Pre-train on demonstrations, or fine-tune --model on them; export the policy."""
    from reasoner.train.gpt.model import export, imported
    from reasoner.train.gpt.pretraining import Recipe, gentle, train, trained

    recipe = Recipe(steps=args.steps, seed=args.seed)
    model = imported(_model_folder(args.model)) if args.model else None
    recipe = gentle(recipe, model) if model else recipe
    train(recipe, args.out, compiled=not args.eager, report=say, model=model)
    export(trained(args.out), args.out / "policy")


def rollouts(args: argparse.Namespace) -> None:
    """Sample solutions of training problems from the policy."""
    from reasoner.base import Backend
    from reasoner.train.gpt.rollouts import sample

    async def draw(backend: Backend) -> None:
        for task, count in zip(_tasks(), args.problems, strict=True):
            file = args.out / f"{task.name}.jsonl"
            await sample(backend, task, file, count, args.rollouts, args.seed, say)

    model = _model(args, "policy")
    _served(model, args.eager, draw)


def verdict(args: argparse.Namespace) -> None:
    """Train the verdict layers, new ones or those of --model; export the model with them."""
    for name in () if args.fresh else ROWS:
        _need(args.out / f"{name}.jsonl")  # Before PyTorch is imported, which takes seconds.
    from reasoner.train.gpt.model import export, imported
    from reasoner.train.gpt.pretraining import trained
    from reasoner.train.gpt.verdict_layers import grown, train

    stored = [] if args.fresh else _stored(args)
    model = imported(_model_folder(args.model)) if args.model else trained(args.out)
    layers: int = args.verdict_layers
    depth = model.config.num_hidden_layers - (layers if args.model else 0)
    if depth < 0:
        raise ConfigError(f"{args.model} has fewer layers than --verdict-layers {layers}")
    file = args.out / "verdict.pt"
    # Large steps on few rows easily lose what the layers have learned.
    rates = (0.01, 1e-3) if args.model and not args.fresh else (0.02, 2e-3)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        sources = stored or _fresh(args, model, workers)
        train(
            model, depth, file, sources, args.verdict_steps, args.seed, layers, *rates,
            compiled=not args.eager, report=say,
        )  # fmt: skip
    export(grown(model, depth, file, layers), args.out / "model")


def _stored(args: argparse.Namespace) -> list[Any]:
    """Return sources of the stored rollouts, with few rows per step."""
    from reasoner.train.gpt.pretraining import ROW
    from reasoner.train.gpt.verdict_layers import rereading

    return [
        rereading(args.out / f"{name}.jsonl", rows, ROW[name], f"{args.seed}/{i}")
        for i, (name, rows) in enumerate(ROWS.items())
    ]


def _fresh(args: argparse.Namespace, model: Any, workers: Executor) -> list[Any]:
    """Return sources that sample rollouts during training, with many rows per step, for a GPU."""
    from copy import deepcopy

    import torch

    from reasoner.train.gpt.online_rollouts import Fresh
    from reasoner.train.gpt.pretraining import ROW

    served = deepcopy(model)
    torch.nn.Module.to(served, torch.bfloat16)
    rows = {"dagmath": 128, "countdown": 512}
    make_folder(args.out)
    return [
        Fresh(
            task, served, rows[task.name], ROW[task.name], problems, args.rollouts, args.times,
            args.seed, workers,
        )
        for task, problems in zip(_tasks(), args.problems, strict=True)
    ]  # fmt: skip


def evaluation(args: argparse.Namespace) -> dict[str, object]:
    """Measure the model on --split of each task, and write evaluation.json."""
    from reasoner.backends.checkpoint import fingerprint
    from reasoner.base import Backend
    from reasoner.benchmarks.store.environment import describe
    from reasoner.train.gpt.evaluation import evaluate

    model = _model(args, "model")
    samples = args.out / f"samples-{fingerprint(model)}"

    async def measure(backend: Backend) -> list[dict[str, Any]]:
        return await evaluate(
            backend, _tasks(), samples, args.split, args.test_problems, 64, args.seed, say
        )

    tasks = _served(model, args.eager, measure)
    report = {**describe(args.argv), "seed": args.seed, "split": args.split, "tasks": tasks}
    save_json(report, args.out / "evaluation.json")
    return {"evaluation": report}


Stage = Callable[[argparse.Namespace], dict[str, object] | None]
STAGES: dict[str, Stage] = {
    "policy": policy, "rollouts": rollouts, "verdict": verdict, "evaluate": evaluation,
}  # fmt: skip


def _tasks() -> list[Any]:
    from reasoner.benchmarks.tasks.countdown import Countdown
    from reasoner.benchmarks.tasks.dagmath import DagMath

    return [DagMath(), Countdown()]


def _served(folder: Path, eager: bool, work: Callable[[Any], Awaitable[T]]) -> T:
    """Run `work` on an engine that serves `folder`."""
    from reasoner.backends.vllm import VLLM

    async def main() -> T:
        backend = VLLM(str(folder), enforce_eager=eager)
        try:
            return await work(backend)
        finally:
            await backend.aclose()

    return asyncio.run(main())


def _model(args: argparse.Namespace, stage: str) -> Path:
    """Return the folder of --model, or of the result of an earlier stage."""
    return _model_folder(args.model) if args.model else _need(args.out / stage)


def _model_folder(model: Path) -> Path:
    if not (model / "config.json").exists():
        raise ConfigError(f"no model in {str(model)!r}; name a folder that training exported")
    return model


def _need(path: Path) -> Path:
    if not path.exists():
        command = f"reasoner train gpt --out {path.parent}"
        raise ConfigError(f"{path} does not exist; run the earlier stages first: {command}")
    return path
