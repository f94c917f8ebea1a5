"""Training of the embedded GPT, in resumable stages: `reasoner train gpt`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from reasoner.errors import ConfigError
from reasoner.files import exclusive, make_folder, save_json
from reasoner.models.files import ModelFiles
from reasoner.train.gpt.options import GptOptions
from reasoner.train.progress import say

T = TypeVar("T")

ROWS = {"dagmath": 8, "countdown": 64}
"""Rows of each task in an optimiser step of the verdict stage."""


def run(options: GptOptions, argv: Sequence[str]) -> dict[str, object]:
    """Run the requested stages, and return their results; `argv` is the command to record.

    Raises:
        ConfigError: the options contradict each other, or an earlier stage is missing.
        StoreError: a file cannot be read or written, or another process trains into the folder.
    """
    if options.model and not options.stage:
        raise ConfigError("--model is for one stage; name it with --stage")
    if options.model:
        ModelFiles(str(options.model.absolute()))
    result: dict[str, object] = {"out": str(options.out)}
    with exclusive(options.out):
        for stage in [options.stage] if options.stage else STAGES:
            result |= STAGES[stage](options, argv) or {}
    return result


def policy(options: GptOptions, _: Sequence[str]) -> None:
    """Pre-train on demonstrations, or fine-tune --model on them; export the policy."""
    from reasoner.train.gpt.model import export, imported
    from reasoner.train.gpt.pretraining import PretrainingRecipe, gentle, train, trained

    recipe = PretrainingRecipe(steps=options.steps, seed=options.seed)
    model = imported(_model_folder(options.model)) if options.model else None
    recipe = gentle(recipe, model) if model else recipe
    train(recipe, options.out, compiled=not options.eager, report=say, model=model)
    export(trained(options.out), options.out / "policy")


def rollouts(options: GptOptions, _: Sequence[str]) -> None:
    """Sample solutions of training problems from the policy."""
    from reasoner.base import Backend
    from reasoner.train.gpt.rollouts import sample

    async def draw(backend: Backend) -> None:
        for task, count in zip(_tasks(), options.problems, strict=True):
            file = options.out / f"{task.name}.jsonl"
            await sample(backend, task, file, count, options.rollouts, options.seed, say)

    model = _model(options, "policy")
    _served(model, options.eager, draw)


def verdict(options: GptOptions, _: Sequence[str]) -> None:
    """Train the verdict layers, new ones or those of --model; export the model with them."""
    for name in () if options.fresh else ROWS:
        _need(options.out / f"{name}.jsonl")  # Before PyTorch is imported, which takes seconds.
    from reasoner.train.gpt.model import export, imported
    from reasoner.train.gpt.pretraining import trained
    from reasoner.train.gpt.verdict_layers import grown, train

    stored = [] if options.fresh else _stored(options)
    model = imported(_model_folder(options.model)) if options.model else trained(options.out)
    layers: int = options.verdict_layers
    depth = model.config.num_hidden_layers - (layers if options.model else 0)
    if depth < 0:
        raise ConfigError(f"{options.model} has fewer layers than --verdict-layers {layers}")
    file = options.out / "verdict.pt"
    # Large steps on few rows easily lose what the layers have learned.
    rates = (0.01, 1e-3) if options.model and not options.fresh else (0.02, 2e-3)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        sources = stored or _fresh(options, model, workers)
        train(
            model, depth, file, sources, options.verdict_steps, options.seed, layers, *rates,
            compiled=not options.eager, report=say,
        )  # fmt: skip
    export(grown(model, depth, file, layers), options.out / "model")


def _stored(options: GptOptions) -> list[Any]:
    """Return sources of the stored rollouts, with few rows per step."""
    from reasoner.train.gpt.pretraining import ROW
    from reasoner.train.gpt.verdict_layers import rereading

    return [
        rereading(options.out / f"{name}.jsonl", rows, ROW[name], f"{options.seed}/{i}")
        for i, (name, rows) in enumerate(ROWS.items())
    ]


def _fresh(options: GptOptions, model: Any, workers: Executor) -> list[Any]:
    """Return sources that sample rollouts during training, with many rows per step, for a GPU."""
    from copy import deepcopy

    import torch

    from reasoner.train.gpt.online_rollouts import Fresh
    from reasoner.train.gpt.pretraining import ROW

    served = deepcopy(model)
    torch.nn.Module.to(served, torch.bfloat16)
    rows = {"dagmath": 128, "countdown": 512}
    make_folder(options.out)
    return [
        Fresh(
            task, served, rows[task.name], ROW[task.name], problems, options.rollouts, options.times,
            options.seed, workers,
        )
        for task, problems in zip(_tasks(), options.problems, strict=True)
    ]  # fmt: skip


def evaluation(options: GptOptions, argv: Sequence[str]) -> dict[str, object]:
    """Measure the model on --split of each task, and write evaluation.json."""
    from reasoner.backends.checkpoint import fingerprint
    from reasoner.base import Backend
    from reasoner.benchmarks.store.environment import describe
    from reasoner.train.gpt.evaluation import evaluate

    model = _model(options, "model")
    samples = options.out / f"samples-{fingerprint(model)}"

    async def measure(backend: Backend) -> list[dict[str, Any]]:
        return await evaluate(
            backend, _tasks(), samples, options.split, options.test_problems, 64, options.seed, say
        )

    tasks = _served(model, options.eager, measure)
    report = {**describe(argv), "seed": options.seed, "split": options.split, "tasks": tasks}
    save_json(report, options.out / "evaluation.json")
    return {"evaluation": report}


Stage = Callable[[GptOptions, Sequence[str]], dict[str, object] | None]
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


def _model(options: GptOptions, stage: str) -> Path:
    """Return the folder of --model, or of the result of an earlier stage."""
    return _model_folder(options.model) if options.model else _need(options.out / stage)


def _model_folder(model: Path) -> Path:
    if not (model / "config.json").exists():
        raise ConfigError(f"no model in {str(model)!r}; name a folder that training exported")
    return model


def _need(path: Path) -> Path:
    if not path.exists():
        command = f"reasoner train gpt --out {path.parent}"
        raise ConfigError(f"{path} does not exist; run the earlier stages first: {command}")
    return path
