"""A stored run: its grid and its rows, each read once, and its results as pandas data frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast

from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Header, Record, Spec, Spend
from reasoner.benchmarks.store.search_trees import Tree, read_trees
from reasoner.benchmarks.store.store import read, read_header, read_named
from reasoner.extras import needed_by

if TYPE_CHECKING:
    from pandas import DataFrame

T = TypeVar("T")

SAMPLES = ("task", "problem", "sample", "answer", "correct", "score", "tokens", "text")
ATTEMPTS = ("task", "strategy", "n", "verifier", "problem", "answer", "correct", "score", "error")
COSTS = (*Spend.model_fields, "flops")


class RunFolder:
    """The results that `bench`, `rerank` or `import-pool` wrote to a folder.

        RunFolder("runs/mine").frame().to_parquet("mine.parquet")

    Each row is read from the database and parsed once, when it is first needed. What is written later is
    not seen. Without a `grid`, the one stored in the folder is read.
    """

    def __init__(self, path: str | Path, grid: Grid | None = None) -> None:
        self.path = Path(path)
        self._grid = grid
        self._records = dict[str, list[Record]]()
        self._trees = dict[tuple[str, str], Tree | None]()
        self._headers = dict[str, Header | None]()
        self._derived = dict[tuple[object, str], object]()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open the run in a folder and read its grid.

        Raises:
            StoreError: the folder has no grid, or a corrupt one.
        """
        run = cls(path)
        assert run.grid
        return run

    @cached_property
    def grid(self) -> Grid:
        """The grid of experiments; raises `StoreError` where there is none, or it is corrupt."""
        return self._grid or Grid.load(self.path)

    def stored(self, spec: Spec) -> list[Record]:
        """Return every record of an experiment, also of problems beyond the grid's; none if it never ran.

        Raises:
            StoreError: the database cannot be read, or is corrupt.
        """
        if (key := spec.key) not in self._records:
            self._records[key] = read(self.path, spec)
        return self._records[key]

    def named(self, spec: Spec, problem: str) -> list[Record]:
        """Return the records of a problem, which is named by its id or its number; raises as `stored`."""
        return read_named(self.path, spec, problem)

    def records(self, spec: Spec) -> list[Record]:
        """Return the records of an experiment on the grid's problems, in their order; raises as `stored`."""
        count = self.grid.attempted(spec.strategy)
        return sorted((r for r in self.stored(spec) if r.index < count), key=lambda r: r.index)

    def pool(self, task: str) -> list[Record]:
        """Return the records with the samples of a task, in order; none without a pool. Raises as `stored`."""
        spec = self.grid.pool(task)
        return self.records(spec) if spec else []

    def trees(self, spec: Spec, problems: Collection[str]) -> dict[str, Tree]:
        """Return the search tree of each of `problems` that has one; raises as `stored`."""
        key = spec.key
        if missing := [p for p in problems if (key, p) not in self._trees]:
            trees = read_trees(self.path, spec, missing)
            self._trees |= {(key, p): trees.get(p) for p in missing}
        return {p: tree for p in problems if (tree := self._trees[key, p])}

    def header(self, spec: Spec) -> Header | None:
        """Return the schema and environment of an experiment; None if it never ran. Raises as `stored`."""
        if (key := spec.key) not in self._headers:
            self._headers[key] = read_header(self.path, spec)
        return self._headers[key]

    def derive(self, function: Callable[[RunFolder, str], T], task: str) -> T:
        """Return `function(self, task)`, computed once."""
        if (function, task) not in self._derived:
            self._derived[function, task] = function(self, task)
        return cast("T", self._derived[function, task])

    def frame(self, rows: Literal["samples", "attempts"] = "samples") -> DataFrame:
        """Return a row per solution of the pools, or per attempt of every strategy with its cost.

        Columns of samples: task, problem, sample (counted from 0), answer, correct, score, tokens, text.
        Columns of attempts: task, strategy, n, verifier, problem, answer, correct, score, error, and the
        costs of `Spend`.

        Raises:
            MissingPackage: pandas is not installed.
            StoreError: the database is corrupt.
        """
        with needed_by("a frame"):
            from pandas import DataFrame
        if rows == "samples":
            return DataFrame(list(self._samples()), columns=list(SAMPLES))
        return DataFrame(list(self._attempts()), columns=[*ATTEMPTS, *COSTS])

    def _samples(self) -> Iterator[dict[str, Any]]:
        for task in self.grid.tasks:
            pool = self.grid.pool(task)
            for record in self.stored(pool) if pool else ():
                for i, sample in enumerate(record.samples):
                    fields = sample.model_dump(include=set(SAMPLES))
                    yield {"task": task, "problem": record.problem, "sample": i, **fields}

    def _attempts(self) -> Iterator[dict[str, Any]]:
        for spec in self.grid.specs():
            for record in self.stored(spec):
                fields = record.model_dump(include=set(ATTEMPTS))
                costs = {cost: getattr(record.spend, cost) for cost in COSTS}
                yield {**spec.model_dump(include=set(ATTEMPTS)), **fields, **costs}


Run = RunFolder
"""The earlier name: `Run.load(DIR).frame()`."""
