"""Count the solutions that are graded right although one of their lines is false.

    python -m reasoner.benchmarks.studies.false_lines runs/full

The pools of a run are graded again from the stored texts. Grades that differ from the recorded ones are
counted too. Nothing is generated.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from reasoner.base import Example, Task
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import StoreError
from reasoner.registry import tasks
from reasoner.schema import Frozen
from reasoner.types import Problem


@runtime_checkable
class Checked(Task, Protocol):
    """A task that checks every line of a solution, besides its answer."""

    def sound(self, problem: Problem, solution: str) -> bool:
        """Return True if every line is right."""
        ...


class Count(Frozen):
    """Counts of the finished solutions of a task.

    `lucky` are right with a false line; `missed` are right now and recorded as wrong; `withdrawn` are wrong now and
    recorded as right.
    """

    task: str
    solutions: int
    right: int
    lucky: int
    missed: int
    withdrawn: int

    def __str__(self) -> str:
        share = self.lucky / max(1, self.right)
        return (
            f"{self.task}: of {self.solutions:,} finished solutions {self.right:,} are right, {self.lucky:,} of these"
            f" ({share:.2%}) with a false line; grade differs from the record: {self.missed} recorded as wrong,"
            f" {self.withdrawn} as right"
        )


def count(task: Checked, pool: Sequence[Record]) -> Count:
    """Grade every finished solution of a pool."""
    graded = [verdict for record in pool for verdict in _graded(task, record)]
    return Count(
        task=task.name,
        solutions=len(graded),
        right=sum(right for right, _, _ in graded),
        lucky=sum(right and not sound for right, sound, _ in graded),
        missed=sum(right and not recorded for right, _, recorded in graded),
        withdrawn=sum(recorded and not right for right, _, recorded in graded),
    )


def _graded(task: Checked, record: Record) -> list[tuple[bool, bool, bool]]:
    """Return for each finished solution: is it right, are its lines right, is it recorded as right."""
    problem = Problem(record.problem, record.question)
    example = Example(problem, record.reference)
    texts = {s.text for s in record.samples if s.complete}
    known = {t: (task.check(example, t), task.sound(problem, t)) for t in texts}
    return [(*known[s.text], s.correct) for s in record.samples if s.complete]


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for every task of a run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, metavar="DIR", help="folder of a `bench` run")
    run = RunFolder(parser.parse_args(argv).run)
    for name in run.grid.tasks:
        task, pool = tasks.make(name), run.pool(name)
        if not pool or not isinstance(task, Checked):
            raise StoreError(f"{run.path} holds no pool of {name} whose lines can be checked")
        print(count(task, pool))


if __name__ == "__main__":
    main()
