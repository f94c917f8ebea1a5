"""Functions for worker processes while a GPU trains. Nothing here imports torch, so that they start fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reasoner.base import Example, Task
from reasoner.train.gpt import vocabulary as v


def training_problems(task: Task, count: int, seed: int) -> list[Example]:
    """Return training problems of a task."""
    return list(task.examples("train", count, seed))


def grade(task: Task, examples: Sequence[Example], solutions: bytes, longest: int) -> list[bool]:
    """Return for each solution if it ended with a right answer; `solutions` has `longest` token ids of each.

    A token without a character, one in millions, makes it wrong.
    """
    return [
        v.END in ids and max(ids) < len(v.TOKENS) and task.check(example, v.decode(list(ids)))
        for example, ids in zip(examples, _cut(solutions, longest), strict=True)
    ]


def _cut(solutions: bytes, longest: int) -> Iterator[bytes]:
    return (solutions[i : i + longest] for i in range(0, len(solutions), longest))
