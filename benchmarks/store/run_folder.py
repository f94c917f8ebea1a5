"""Results as pandas data frames, for whatever is not drawn here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Spend
from reasoner.benchmarks.store.results import read
from reasoner.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame

SAMPLES = ("task", "problem", "sample", "answer", "correct", "score", "tokens", "text")
ATTEMPTS = ("task", "strategy", "n", "verifier", "problem", "answer", "correct", "score", "error")
COSTS = (*Spend.model_fields, "flops")


@dataclass(frozen=True, slots=True)
class Run:
    """What `bench`, `rerank` or `import-pool` left in a folder.

    Run.load("runs/mine").frame().to_parquet("mine.parquet")
    """

    grid: Grid
    out: Path

    @classmethod
    def load(cls, out: str | Path) -> Self:
        """The run in the folder `out`.

        Raises:
            StoreError: there is none, or it is corrupt.
        """
        return cls(Grid.load(Path(out)), Path(out))

    def frame(self, rows: Literal["samples", "attempts"] = "samples") -> DataFrame:
        """A row per solution of the pools, or per attempt of every strategy with what it cost.

        Columns of samples: task, problem, sample (counted from 0), answer, correct, score, tokens, text.
        Columns of attempts: task, strategy, n, verifier, problem, answer, correct, score, error, and the
        costs of `Spend`.

        Raises:
            ConfigError: pandas is not installed.
            StoreError: a results file is corrupt.
        """
        try:
            from pandas import DataFrame
        except ImportError as e:
            raise ConfigError("frames need pandas; install 'reasoner[data]'") from e
        if rows == "samples":
            return DataFrame(list(self._samples()), columns=list(SAMPLES))
        return DataFrame(list(self._attempts()), columns=[*ATTEMPTS, *COSTS])

    def _samples(self) -> Iterator[dict[str, Any]]:
        for task in self.grid.tasks:
            pool = self.grid.pool(task)
            for record in read(self.out, pool) if pool else ():
                for i, sample in enumerate(record.samples):
                    told = sample.model_dump(include=set(SAMPLES))
                    yield {"task": task, "problem": record.problem, "sample": i, **told}

    def _attempts(self) -> Iterator[dict[str, Any]]:
        for spec in self.grid.specs():
            for record in read(self.out, spec):
                told = record.model_dump(include=set(ATTEMPTS))
                costs = {cost: getattr(record.spend, cost) for cost in COSTS}
                yield {**spec.model_dump(include=set(ATTEMPTS)), **told, **costs}
