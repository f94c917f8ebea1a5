"""Measure our own CPU time per node of a search tree, and its growth with the tree.

    python -m reasoner.benchmarks.studies.search_overhead [STRATEGY ...] [--nodes 10000] [--journal] [--json]

The model is scripted, so nearly all the time is ours. The time of the script itself is measured by
repeating the same requests without a search, and subtracted. Every strategy runs at the sizes `n` at
which its tree has at least `--nodes` nodes, and a tenth of them; the ratio of the two costs is near 1
if the cost is linear. Python's garbage collector traverses large trees more than once, which makes it
1.2 to 2.6; without the collector it is 0.9 to 1.2. A tree that does not grow with `n` is measured as
it is. With `--journal` every call is stored on disk, as a benchmark does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from string import ascii_lowercase
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from reasoner.backends.scripted import END, Scripted
from reasoner.base import Backend, Halt
from reasoner.benchmarks.runner.resumable import JournalledModel
from reasoner.benchmarks.store.call_log import Calls, ProblemJournal
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import Spec
from reasoner.events import Result
from reasoner.registry import strategies
from reasoner.run import Strategy
from reasoner.solving import solve
from reasoner.types import Generation, Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

T = TypeVar("T")

PROBLEM = Problem("overhead", "?")
STEPS = 8
SAMPLING = Sampling(stop=("\n",), max_tokens=16 * STEPS)
FLAT = 64
"""The size from which a tree that has stopped growing with `n` is not enlarged further."""
PAIRS = [a + b + "\n" for a in ascii_lowercase for b in ascii_lowercase]


def letters(prompt: Prompt, rng: random.Random) -> str:
    """Return two letters per step and a random number at the end: branches differ, and votes disagree."""
    lines = range(prompt.text.count("\n"), STEPS - 1)
    return "".join(rng.choice(PAIRS) for _ in lines) + f"#{rng.random()}"[:9] + END


def coin(_: Prompt, step: str) -> float:
    """Return a verdict that depends on the step alone."""
    return 0.2 + 0.6 * (sum(map(ord, step[-3:])) % 64) / 64


class Recorder(Scripted):
    """Records every request, so that it can be repeated."""

    def __init__(self) -> None:
        super().__init__(reply=letters, judge=coin)
        self.calls = list[Callable[[], Awaitable[Generation]]]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        again = super().generate
        self.calls.append(lambda: again(prompt, sampling))
        return await again(prompt, sampling)

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        again = super().watch
        self.calls.append(lambda: again(prompt, sampling, never))
        return await again(prompt, sampling, halt)

    async def repeat(self) -> None:
        """Answer all recorded requests again."""
        for call in self.calls:
            await call()


def never(_: object) -> bool:
    """Halt no sample."""
    return False


@dataclass(frozen=True, slots=True)
class SearchCost:
    """Milliseconds of our own CPU time per node, in a tree of `nodes`."""

    n: int
    nodes: int
    ms: float


def measure(strategy: Strategy, n: int, journal: bool = False) -> SearchCost:
    """Search once, and subtract the time of the script for the same requests."""
    backend = Recorder()
    with journalled(backend, journal) as model:
        result, whole = clock(search(strategy, model))
    _, script = clock(backend.repeat())
    nodes = len(result.trace) - 1
    return SearchCost(n, nodes, 1000 * max(0.0, whole - script) / max(1, nodes))


@contextmanager
def journalled(backend: Backend, journal: bool) -> Generator[Backend]:
    """Yield `backend`, with its calls stored in a database if `journal` is set."""
    if not journal:
        yield backend
        return
    spec = Spec(task="overhead", backend="scripted", strategy="any", n=1)
    with TemporaryDirectory() as folder, Database(Path(folder)) as database:
        yield JournalledModel(backend, Calls(ProblemJournal(database, spec, PROBLEM.id)))


def search(strategy: Strategy, backend: Backend) -> Coroutine[Any, Any, Result]:
    """Solve the one problem with `strategy`."""
    return solve(PROBLEM, strategy, backend, Verdict("last"), sampling=SAMPLING)


def clock(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Return the result of `work`, and its CPU seconds."""
    started = time.process_time()
    result = asyncio.run(work)
    return result, time.process_time() - started


def grown(name: str, nodes: int, n: int = 1, *, journal: bool = False) -> SearchCost:
    """Return the cost at the first size, doubling from `n`, whose tree has at least `nodes` nodes."""
    before, cost = 0, measure(strategies.make(name, n=n), n, journal)
    while cost.nodes < nodes and (cost.nodes > before or n < FLAT):
        before, n = cost.nodes, 2 * n
        cost = measure(strategies.make(name, n=n), n, journal)
    again = measure(strategies.make(name, n=n), n, journal)
    return min(cost, again, key=lambda c: c.ms)


def compare(name: str, nodes: int, journal: bool = False) -> dict[str, Any]:
    """Return the cost per node in a small tree and in one ten times as large."""
    small = grown(name, nodes // 10, journal=journal)
    large = grown(name, nodes, 4 * small.n, journal=journal)
    grew = large.nodes > 4 * small.nodes
    return {
        "strategy": name,
        **{f"small_{k}": v for k, v in asdict(small).items()},
        **{f"large_{k}": v for k, v in asdict(large).items()},
        "ratio": large.ms / small.ms if grew and small.ms else None,
    }


def line(row: dict[str, Any]) -> str:
    """Format one row of the table."""
    ratio = "" if row["ratio"] is None else f"{row['ratio']:6.2f}"
    sizes = "".join(f"{row[f'{s}_nodes']:>8,} {row[f'{s}_ms']:>8.3f}" for s in ("small", "large"))
    return f"{row['strategy']:24}{sizes}{ratio}"


def main() -> None:
    """Measure, and print a table or JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("strategy", nargs="*", help="names; all by default")
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--journal", action="store_true", help="store every call on disk")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.json:
        print(f"{'':24}{'nodes':>8} {'ms/node':>8}{'nodes':>8} {'ms/node':>8} ratio")
    for name in args.strategy or strategies.names():
        row = compare(name, args.nodes, args.journal)
        print(json.dumps(row) if args.json else line(row), flush=True)


if __name__ == "__main__":
    main()
