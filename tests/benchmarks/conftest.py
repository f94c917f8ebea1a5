"""A tiny task that the scripted model is made for: adding numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.base import Example
from reasoner.benchmarks.runner import bench as experiment
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.scheduler import Tally
from reasoner.benchmarks.store import environment
from reasoner.benchmarks.store.grid import Grid
from reasoner.types import Problem, Sampling

STEPS = Sampling(max_tokens=200, stop=("\n",))


@dataclass(frozen=True)
class Sums:
    """Add six numbers, one per line."""

    name: str = "sums"
    sampling: Sampling = STEPS

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """Problems that differ by split and seed."""
        for i in range(count):
            rng = Random(f"{split}:{seed}:{i}")
            numbers = [rng.randint(1, 99) for _ in range(6)]
            problem = Problem(f"{split}-{i}", "+".join(map(str, numbers)))
            yield Example(problem, str(sum(numbers)))

    def answer(self, solution: str) -> str | None:
        """Return the text after the last `#`."""
        return solution.rpartition("#")[2] if "#" in solution else None

    def check(self, example: Example, solution: str) -> bool:
        """Return True if the sum is right."""
        return self.answer(solution) == example.answer


class Bench:
    """A grid over `Sums`, ready to run."""

    def __init__(
        self,
        out: Path,
        backend: Scripted | None = None,
        trained: float | None = None,
        **grid: object,
    ) -> None:
        defaults = {"tasks": ["sums"], "ns": [1, 4, 8], "problems": 30, "backend": "scripted"}
        self.grid = Grid.model_validate({**defaults, **grid})
        self.out, self.backend = out, backend or Scripted()
        model = environment.model(self.backend, "scripted", train_flops=trained)
        self.environment = {**environment.describe(["bench"]), "model": model}

    async def run(self, concurrency: int = 8) -> Tally:
        """Attempt what is missing."""
        self.solvers = Solvers(self.grid, {"sums": Sums()})
        return await experiment.run(
            self.grid, self.out, self.solvers, self.backend,
            concurrency=concurrency, environment=self.environment,
        )  # fmt: skip


@pytest.fixture
def bench_type() -> type[Bench]:
    """`Bench`, without an import that depends on where tests live."""
    return Bench
