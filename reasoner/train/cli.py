"""`reasoner train`: the embedded GPT from nothing to shipped weights, in resumable stages."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from reasoner.errors import ConfigError

STAGES = ("policy", "rollouts", "verdict", "evaluate")
EXAMPLE = """example:
  reasoner train --out runs/train                 every stage, continuing where it was stopped
  reasoner train --out runs/train --stage policy  pre-training alone
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to `parser`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLE
    parser.add_argument(
        "--out", type=Path, default=Path("runs/train"), help="where checkpoints and the model go"
    )
    parser.add_argument(
        "--stage", choices=STAGES, help="run this stage only (default: all in order)"
    )
    parser.add_argument("--steps", type=int, default=1200, help="pre-training steps")
    parser.add_argument("--verdict-steps", type=int, default=600, help="steps of learning to judge")
    parser.add_argument(
        "--problems",
        type=int,
        nargs=2,
        default=(1200, 3600),
        metavar=("DAGMATH", "COUNTDOWN"),
        help="problems to roll out",
    )
    parser.add_argument("--rollouts", type=int, default=8, help="rollouts a problem")
    parser.add_argument(
        "--test-problems", type=int, default=1000, help="problems a task to evaluate on"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args: argparse.Namespace) -> int:
    """Run the stages asked for; returns the exit code."""
    if min(args.steps, args.verdict_steps, args.rollouts, args.test_problems, *args.problems) < 1:
        raise ConfigError("reasoner train: steps, problems and rollouts must be positive")
    result: dict[str, object] = {"model": str(args.out / "model")}
    for stage in [args.stage] if args.stage else STAGES:
        told = globals()[f"_{stage}"](args)
        result |= told or {}
    print(json.dumps(result, indent=1) if args.json else f"model: {result['model']}")
    return 0


def say(line: str) -> None:
    """Progress goes to standard error."""
    print(line, file=sys.stderr, flush=True)


def _policy(args: argparse.Namespace) -> None:
    from reasoner.train.policy import Recipe, train

    train(Recipe(steps=args.steps, seed=args.seed), args.out, report=say)


def _rollouts(args: argparse.Namespace) -> None:
    import torch

    from reasoner.backends.vllm import VLLM
    from reasoner.benchmarks.countdown import Countdown
    from reasoner.benchmarks.dagmath import DagMath
    from reasoner.train.model import build, export
    from reasoner.train.rollouts import sample

    model = build()
    model.load_state_dict(
        torch.load(_need(args.out / "policy.pt"), weights_only=True, map_location="cpu")["model"]
    )
    export(model, args.out / "policy")

    async def draw() -> None:
        backend = VLLM(str(args.out / "policy"))
        try:
            for task, count in zip((DagMath(), Countdown()), args.problems, strict=True):
                await sample(
                    backend,
                    task,
                    args.out / f"{task.name}.jsonl",
                    count,
                    args.rollouts,
                    args.seed,
                    say,
                )
        finally:
            await backend.aclose()

    asyncio.run(draw())


def _verdict(args: argparse.Namespace) -> None:
    import torch

    from reasoner.train.model import build, export
    from reasoner.train.verdict import train

    files = [
        (_need(args.out / "dagmath.jsonl"), 16, 243),
        (_need(args.out / "countdown.jsonl"), 32, 96),
    ]
    path = train(args.out, files, args.verdict_steps, args.seed, report=say)
    model = build()
    model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["model"])
    export(model, args.out / "model")


def _evaluate(args: argparse.Namespace) -> dict[str, object]:
    from reasoner.backends.vllm import VLLM
    from reasoner.benchmarks.countdown import Countdown
    from reasoner.benchmarks.dagmath import DagMath
    from reasoner.train.evaluate import evaluate

    async def measure() -> list[dict[str, object]]:
        backend = VLLM(str(args.out / "model"))
        try:
            return await evaluate(
                backend, [DagMath(), Countdown()], args.test_problems, 64, args.seed, say
            )
        finally:
            await backend.aclose()

    report = asyncio.run(measure())
    (args.out / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n")
    return {"evaluation": report}


def _need(path: Path) -> Path:
    if not path.exists():
        raise ConfigError(
            f"{path} is not there; run the earlier stages first: reasoner train --out {path.parent}"
        )
    return path
