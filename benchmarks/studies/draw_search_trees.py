"""Solve one problem and draw the tree that the search grew.

    python -m reasoner.benchmarks.studies.draw_search_trees STRATEGY [--n 8] [--set KEY=JSON] [--task countdown]
        [--problem 0] [--model MODEL] [--out FILE.svg]
    python -m reasoner.benchmarks.studies.draw_search_trees --all DIR

The model is the embedded GPT, or `scripted`: the toy that adds numbers. A file is what its ending
says, .svg or .png. `--all` draws every strategy to a file of its own, and reports which failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reasoner.api import Reasoner, open_backend
from reasoner.base import Backend, Example, Task
from reasoner.benchmarks.plots.search_tree import draw
from reasoner.errors import BackendError, ReasonerError
from reasoner.events import Result
from reasoner.registry import strategies, tasks
from reasoner.types import Problem

TOY = Example(Problem("toy", "12+30+41+5+19"), "107")


class Grower:
    """Draws the search trees of strategies on one problem with one model."""

    def __init__(self, backend: Backend, task: Task | None, example: Example, seed: int) -> None:
        self.backend, self.task, self.example, self.seed = backend, task, example, seed

    async def draw(self, name: str, out: Path, **settings: Any) -> None:
        """Search with the strategy called `name` and draw its tree to `out`."""
        strategy = strategies.make(name, **settings)
        reasoner = Reasoner(self.backend, strategy=strategy, task=self.task, seed=self.seed)
        result = await reasoner.asolve(self.example.problem)
        if result.error:
            raise BackendError(result.error)
        finished = zip(result.trace.finished, result.candidates, strict=True)
        right = {node.id for node, s in finished if self.check(s.candidate.answer_text)}
        title = f"{name}: {self.example.problem.prompt.strip()}"
        draw(result, out, title, self.caption(result, settings), right)

    def check(self, solution: str) -> bool:
        """Return True if a solution is right."""
        if self.task:
            return self.task.check(self.example, solution)
        return solution.endswith("#" + self.example.answer)

    def caption(self, result: Result, settings: dict[str, Any]) -> str:
        """Return a line with the settings, the size and cost of the tree, and the answer."""
        pieces, tokens = len(result.trace) - 1, result.usage.completion_tokens
        verdict = (
            "right"
            if self.check(result.candidate.answer_text if result.candidate else "")
            else "wrong"
        )
        parts = (
            *(f"{key} = {value!r}" for key, value in settings.items()),
            f"{pieces} nodes",
            f"{tokens:,} tokens",
            f"answer {result.answer}, {verdict}",
        )
        return "   ·   ".join(parts)


async def draw_all(grower: Grower, wanted: dict[str, Path], settings: dict[str, Any]) -> int:
    """Draw every tree that can be drawn; return the number of failures."""
    failed = 0
    for name, out in wanted.items():
        try:
            await grower.draw(name, out, **settings)
        except ReasonerError as e:
            failed += 1
            print(f"{name}: {e}", file=sys.stderr)
        else:
            print(out)
    await grower.backend.aclose()
    return failed


def setting(text: str) -> tuple[str, Any]:
    """Parse one setting of a strategy: `KEY=JSON`."""
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not KEY=JSON; an example is branch=4"
        ) from None


def example_of(task: Task, number: int) -> Example:
    """Return the test problem of that number, counted from 0."""
    return list(task.examples("test", number + 1))[number]


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the trees that the command line asks for; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("strategy", nargs="?")
    parser.add_argument(
        "--all", type=Path, metavar="DIR", help="draw every strategy into this folder"
    )
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument(
        "--set", type=setting, action="append", default=[], metavar="KEY=JSON",
        help="another setting of the strategy; repeatable",
    )  # fmt: skip
    parser.add_argument("--task", default="countdown")
    parser.add_argument("--problem", type=int, default=0, help="the number of a test problem")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="a folder or name; by default the embedded GPT")
    parser.add_argument("--out", type=Path, help="by default STRATEGY.svg")
    args = parser.parse_args(argv)
    if not (args.strategy or args.all):
        parser.error("name a strategy, or --all and a folder")
    if args.all:
        args.all.mkdir(parents=True, exist_ok=True)
        wanted = {name: args.all / f"{name}.svg" for name in strategies.names()}
    else:
        wanted = {args.strategy: args.out or Path(f"{args.strategy}.svg")}
    task = None if args.model == "scripted" else tasks.make(args.task)
    example = example_of(task, args.problem) if task else TOY
    grower = Grower(open_backend(args.model), task, example, args.seed)
    return min(1, asyncio.run(draw_all(grower, wanted, {"n": args.n, **dict(args.set)})))


if __name__ == "__main__":
    sys.exit(main())
