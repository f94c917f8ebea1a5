"""What worker processes do while a GPU trains. They start fast: nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reasoner.base import Example, Task
from reasoner.train.gpt import vocabulary as v


def made(task: Task, count: int, seed: int) -> list[Example]:
    """Training problems."""
    return list(task.examples("train", count, seed))


def graded(task: Task, examples: Sequence[Example], drawn: bytes, longest: int) -> list[bool]:
    """Whether each solution ended, and rightly; `drawn` has `longest` token ids of each.

    A token that stands for no character, one in millions, makes it wrong.
    """
    return [
        v.END in ids and max(ids) < len(v.TOKENS) and task.check(example, v.decode(list(ids)))
        for example, ids in zip(examples, _cut(drawn, longest), strict=True)
    ]


def _cut(drawn: bytes, longest: int) -> Iterator[bytes]:
    return (drawn[i : i + longest] for i in range(0, len(drawn), longest))
