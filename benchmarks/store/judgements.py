"""Judgements of solutions by a verifier, the data of `eval-verifier`, and their store."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import Field, FiniteFloat

from reasoner.base import Task
from reasoner.benchmarks.store.grid import BEST, MAJORITY, WEIGHTED, Grid
from reasoner.benchmarks.store.records import Count, Record, Spec, StoredRow
from reasoner.benchmarks.store.store import kept
from reasoner.schema import Frozen
from reasoner.types import Candidate, Problem

TUNING = "dev"
"""The split on which thresholds are chosen."""


@runtime_checkable
class Labelled(Task, Protocol):
    """A task that can tell of each step whether it, and all before it, are right."""

    def step_labels(self, problem: Problem, solution: str) -> list[bool]:
        """One label per step of `solution`."""
        ...


class Drawn(StoredRow):
    """The solutions drawn of one problem, and the record of drawing them."""

    record: Record
    solutions: tuple[Candidate, ...]


class Judged(StoredRow):
    """A verifier's judgements of solutions: a sample in `record` for each, and the cost of scoring them.

    `steps` has, for each solution, the score of every prefix, and `labels` whether that prefix is
    right; both are empty where the task labels no steps. `malformed` counts the verdicts on finished
    solutions that could not be read. The scores of a `comparative` verifier compare the solutions of
    one problem with one another.
    """

    record: Record
    steps: tuple[tuple[FiniteFloat, ...], ...] = ()
    labels: tuple[tuple[bool, ...], ...] = ()
    comparative: bool = False
    malformed: Count = 0


class DiagnosisPlan(Frozen):
    """A diagnosis to make: a verifier, and the tasks and problems of `grid`.

    Thresholds are chosen on `tuning` other problems, of the dev split: its first ones, or, where the
    verifier is diagnosed on that split, those after them. A step's score is, where `steps`
    says "prefixes", that of the solution so far, which is what a search sees; with "whole" it is
    what the verifier tells of the step when it is given the finished solution.
    """

    grid: Grid
    steps: Literal["prefixes", "whole"] = "prefixes"
    tuning: int = Field(default=64, ge=1)

    @classmethod
    def of(
        cls, samples: int, *, steps: str = "prefixes", tuning: int = 64, **setting: Any
    ) -> DiagnosisPlan:
        """A plan with `samples` a problem, decided at 1, 2, 4, ... of them; `setting` is the grid's."""
        ns = sorted({*(2**i for i in range(samples.bit_length())), samples})
        grid = Grid(strategies=(BEST, MAJORITY, WEIGHTED), ns=tuple(ns), **setting)
        return cls.model_validate({"grid": grid, "steps": steps, "tuning": tuning})

    def judged(self, task: str, split: str = "") -> Spec:
        """Return the spec that determines the judgements of a task, by default on the grid's split."""
        name = "judged" if self.steps == "prefixes" else "judged(steps='whole')"
        spec = self.grid.spec(task, BEST, max(self.grid.ns))
        return spec.model_copy(update={"strategy": name, "split": split or self.grid.split})

    @property
    def measured(self) -> range:
        """Places of the problems, in the grid's split, that the verifier is diagnosed on."""
        return range(self.grid.problems)

    @property
    def tuned(self) -> range:
        """Places of the problems, in the dev split, that thresholds are chosen on."""
        start = self.grid.problems if self.grid.split == TUNING else 0
        return range(start, start + self.tuning)

    def read(self, out: Path, task: str) -> list[Judged]:
        """Return what `out` holds of the problems measured, in their order."""
        rows = kept(out, self.judged(task), Judged)
        return [row for row in rows if row.index in self.measured]

    def read_tuned(self, out: Path, task: str) -> list[Judged]:
        """Return what `out` holds of the problems that thresholds are chosen on, in their order."""
        rows = kept(out, self.judged(task, TUNING), Judged)
        return [row for row in rows if row.index in self.tuned]
