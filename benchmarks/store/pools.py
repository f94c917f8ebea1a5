"""Import of solution pools generated elsewhere, and export of a run's pool.

An imported pool is a run like any other: everything that generates nothing works on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal

from reasoner.base import Example, Task
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.grid import BEST, BESTS, MAJORITY, WEIGHTED, Grid
from reasoner.benchmarks.store.owner import IMPORT, refuse_others
from reasoner.benchmarks.store.pool_file import Recorded, Written
from reasoner.benchmarks.store.pool_formats import Format, read_recorded
from reasoner.benchmarks.store.records import Record, Sample, Spend
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.store import Store
from reasoner.errors import ConfigError, StoreError
from reasoner.files import clipped, shown
from reasoner.registry import tasks
from reasoner.thinking import answer_text
from reasoner.types import Finish, Problem
from reasoner.verifiers.common.aggregation import AGGREGATES

RECORDED = "recorded"
"""The model, backend and verifier of solutions generated elsewhere."""


@dataclass(frozen=True, slots=True)
class Importing:
    """Settings of a pool's import: the grading task, the aggregate of step scores, and field names.

    With `grades` "log" a solution is right if the file says so, by the metric or scorer `score`; the task
    then reads its answer only.
    """

    task: str
    aggregate: str = "last"
    fields: Mapping[str, str] | None = None
    format: Format = "auto"
    grades: Literal["task", "log"] = "task"
    score: str = ""


def import_pool(
    path: Path, importing: Importing, out: Path, environment: Mapping[str, Any] = {}
) -> Grid:
    """Grade the pool in `path` into the run `out`, and return the run's grid.

    Raises:
        ConfigError: the file is in none of the formats, has a problem twice, or lacks grades.
        StoreError: the file cannot be read, or `out` cannot be written or holds another pool.
    """
    task: Task = tasks.make(importing.task)
    pool = read_recorded(path, importing.format, importing.fields, importing.score)
    _check_grades(path, pool, importing)
    refuse_others(out, IMPORT)
    grid = grid_of(pool, importing)
    spec = grid.pool(importing.task)
    assert spec is not None, "a pool decides the strategies of the grid"
    with Database(out) as database:
        store = Store(database, spec, environment)
        _same(store, pool, out)
        grid.save(out)
        done = store.done()
        for index, problem in enumerate(pool):
            if problem.id not in done:
                store.append(graded(task, problem, index, importing))
    return grid


def export_pool(run: RunFolder, task: str = "") -> Iterator[Recorded]:
    """Return the pool of a run's task, problem by problem.

    Raises:
        ConfigError: the run has several tasks and none is named, or no such one.
        StoreError: the run has no solutions.
    """
    pool = pool_of(run, _chosen(run.grid, task))
    return (recorded(record) for record in pool if record.question)


def pool_of(run: RunFolder, task: str) -> list[Record]:
    """Return the records of a run's pool, with the text of every solution; failed ones have no samples.

    Raises:
        StoreError: the run has no pool, or it has no texts.
    """
    spec = run.grid.pool(task)
    records = run.stored(spec) if spec else []
    samples = [sample for record in records for sample in record.samples]
    if not samples:
        raise StoreError(
            f"{run.path} has no pool of {task}; run best-of-n, majority or weighted there"
        )
    if not any(sample.text for sample in samples):
        raise StoreError(
            f"{run.path} has no solutions of {task}, only answers: an older version wrote it;"
            " run it again"
        )
    return records


def grid_of(pool: Sequence[Recorded], importing: Importing) -> Grid:
    """Return the grid that a pool answers: sizes up to the fewest samples of a problem with any."""
    scores = [score(c, importing.aggregate) for problem in pool for c in problem.completions]
    known = [s for s in scores if s is not None]
    votes = (WEIGHTED,) if min(known, default=0) >= 0 else ()  # A vote has no negative weight.
    most = min(len(problem.completions) for problem in pool if problem.completions)
    named = "" if importing.aggregate == "last" else f"(aggregate={importing.aggregate!r})"
    return Grid(
        tasks=(importing.task,),
        strategies=(MAJORITY, BEST, *votes, BESTS) if known else (MAJORITY,),
        ns=tuple(sizes(most)),
        search_ns=(),
        problems=len(pool),
        model=RECORDED,
        backend=RECORDED,
        verifier=RECORDED + named if known else None,
        command=IMPORT,
    )


def sizes(most: int) -> list[int]:
    """Return every size up to eight, then powers of two, and `most`."""
    powers = [2**i for i in range(4, most.bit_length())]
    return sorted({*range(1, min(most, 8) + 1), *powers, most})


def graded(task: Task, problem: Recorded, index: int, importing: Importing) -> Record:
    """Return the record of a problem's pool.

    Raises:
        ConfigError: it is no problem of the task.
    """
    example = Example(Problem(problem.id, problem.question), problem.answer)
    try:
        samples = tuple(_sample(task, example, c, importing) for c in problem.completions)
    except (ValueError, LookupError, TypeError, ArithmeticError) as e:  # A problem of another task.
        raise ConfigError(
            f"the task cannot grade problem {clipped(problem.id, 40)!r} ({clipped(e)}); name the --task"
            " whose problems these are"
        ) from e
    best = best_of(samples)
    return Record(
        problem=problem.id,
        index=index,
        correct=best is not None and best.correct,
        answer=best and best.answer,
        score=best and best.score,
        spend=Spend(generated_tokens=sum(sample.tokens for sample in samples)),
        samples=samples,
        question=problem.question,
        reference=problem.answer,
    )


def recorded(record: Record) -> Recorded:
    """Return a record's pool in the export format."""
    return Recorded(
        id=record.problem,
        question=record.question,
        answer=record.reference,
        completions=tuple(
            Written(
                text=s.text,
                score=s.score,
                step_scores=s.steps,
                tokens=s.tokens or None,
                finish_reason=None if s.complete else Finish.LENGTH,
            )
            for s in record.samples
        ),
    )


def _check_grades(path: Path, pool: Sequence[Recorded], importing: Importing) -> None:
    """Raise if the file's own grades are wanted, and some solution has none."""
    if importing.grades == "task":
        return
    for problem in pool:
        if any(c.correct is None for c in problem.completions):
            named = f" by {importing.score!r}" if importing.score else ""
            raise ConfigError(
                f"{shown(path)} has no grade{named} of each solution of problem"
                f" {clipped(problem.id, 40)!r}; name another --score, or grade with --grades task"
            )


def _sample(task: Task, example: Example, written: Written, importing: Importing) -> Sample:
    complete, stated = written.finish_reason != Finish.LENGTH, answer_text(written.text)
    logged = importing.grades == "log"
    return Sample(
        answer=task.answer(stated) if complete else None,
        correct=bool(written.correct) if logged else complete and task.check(example, stated),
        score=score(written, importing.aggregate),
        tokens=written.tokens or 0,
        text=written.text,
        steps=written.step_scores,
        complete=complete,
    )


def score(written: Written, aggregate: str) -> float | None:
    """Return a solution's own score, or else the aggregate of its step scores."""
    if written.score is None and written.step_scores:
        return AGGREGATES[aggregate](written.step_scores)
    return written.score


def best_of(samples: Sequence[Sample]) -> Sample | None:
    """Return the best-scored of `samples`, the first of equals; unscored ones come last."""
    return max(samples, key=lambda s: -inf if s.score is None else s.score, default=None)


def _chosen(grid: Grid, task: str) -> str:
    if not task and len(grid.tasks) == 1:
        return grid.tasks[0]
    if task not in grid.tasks:
        wanted = f"no task {task!r}" if task else "several tasks"
        raise ConfigError(f"the run has {wanted}; choose one with --task: {', '.join(grid.tasks)}")
    return task


def _same(store: Store, pool: Sequence[Recorded], out: Path) -> None:
    """Raise if `out` holds another pool: graded problems are not graded again."""
    texts = {problem.id: [c.text for c in problem.completions] for problem in pool}
    for record in store:
        if texts.get(record.problem) != [sample.text for sample in record.samples]:
            raise StoreError(
                f"{shown(out)} holds another pool (problem {clipped(record.problem, 40)!r} differs);"
                " choose another --out"
            )
