"""Solutions to imitate, from files and from tasks.

Four kinds of lines are read, and all become pairs of a problem and a solution:

    {"prompt": "…", "completion": "…"}                        TRL's prompt-completion, as `export` writes it
    {"problem": "…", "solution": "…"}                         or question and answer
    {"prompt": "…", "completions": ["…"], "separator": "\\n", "correct": true}   `train labels`
    {"question": "…", "answer": "…", "completions": [{"text": "…"}]}             a pool, graded by a task
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import AliasChoices, Field

from reasoner.base import Example, Task
from reasoner.benchmarks.store.pool_file import Recorded, read_pool
from reasoner.benchmarks.tasks.generated import Demonstration
from reasoner.documents import Malformed, parse_json, parse_model
from reasoner.errors import ConfigError, StoreError
from reasoner.files import read_lines, shown
from reasoner.schema import Frozen
from reasoner.thinking import answer_text
from reasoner.train.reward.labelled_solutions import LabelledSolution
from reasoner.types import Finish, Problem


class Pair(Frozen, extra="ignore"):
    """A problem, as the policy reads it before any chat template, and a solution to imitate."""

    prompt: str = Field(
        min_length=1, validation_alias=AliasChoices("prompt", "problem", "question")
    )
    solution: str = Field(
        min_length=1,
        validation_alias=AliasChoices("completion", "solution", "response", "answer"),
    )


@runtime_checkable
class Demonstrating(Protocol):
    """A task that has right solutions of its problems."""

    def demonstrations(self, split: str, count: int, seed: int = 0) -> Iterator[Demonstration]:
        """Yield the first `count` problems of a split, each with a right solution."""
        ...


def demonstrations(task: Task, count: int, seed: int) -> list[Pair]:
    """Return `count` problems of split "train" with a task's own solutions.

    Raises:
        ConfigError: the task has none.
    """
    if not isinstance(task, Demonstrating):
        raise ConfigError(
            f"task {task.name!r} has no solutions of its own; give some by --data, or sample them"
            " with --method expert-iteration"
        )
    return [
        Pair(prompt=d.prompt, solution=d.solution)
        for d in task.demonstrations("train", count, seed)
    ]


def read_pairs(path: Path, task: Task | None = None) -> list[Pair]:
    """Read the right solutions of a file; those of a pool are graded by `task`.

    Raises:
        ConfigError: there are none, or the file is a pool and no task is given.
        StoreError: the file cannot be read, or a line is no solution.
    """
    lines = [line for line in read_lines(path) if line.strip()]
    if _is_pool(path, lines):
        pairs = _graded(read_pool(path), path, task)
    else:
        pairs = [p for i, line in enumerate(lines, 1) for p in _pairs(f"{shown(path)}:{i}", line)]
    if not pairs:
        raise ConfigError(f"{shown(path)} has no right solutions; name another file")
    return pairs


def _is_pool(path: Path, lines: list[bytes]) -> bool:
    """Return True if the first line is a problem with several solutions."""
    row = _row(f"{shown(path)}:1", lines[0]) if lines else {}
    return "completions" in row and "separator" not in row


def _pairs(place: str, line: bytes) -> Iterator[Pair]:
    labelled = "completions" in _row(place, line)
    try:
        if not labelled:
            yield parse_model(Pair, line)
            return
        row = parse_model(LabelledSolution, line)
    except Malformed as e:
        raise StoreError(f"{place} is no problem with a solution ({e})") from e
    if row.correct:
        yield Pair(prompt=row.prompt, solution=row.solution)


def _row(place: str, line: bytes) -> dict[str, object]:
    try:
        row = parse_json(line)
    except Malformed as e:
        raise StoreError(f"{place} is no JSON ({e}); it takes one solution a line") from e
    if not isinstance(row, dict):
        raise StoreError(f"{place} is no JSON object; it takes one solution a line")
    return row


def _graded(pool: list[Recorded], path: Path, task: Task | None) -> list[Pair]:
    """Return the finished solutions of a pool that `task` calls right."""
    if task is None:
        raise ConfigError(f"{shown(path)} is a pool of solutions; name the --task that grades them")
    return [
        Pair(prompt=problem.question, solution=written.text)
        for problem in pool
        for written in problem.completions
        if written.text
        and written.finish_reason != Finish.LENGTH
        and task.check(
            Example(Problem(problem.id, problem.question), problem.answer),
            answer_text(written.text),
        )
    ]
