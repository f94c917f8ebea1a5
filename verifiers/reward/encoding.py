"""A candidate as a reward model reads it: token ids, and the positions that tell scores."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reasoner.errors import ConfigError
from reasoner.types import Usage


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, and the positions among them where the model's outputs are read, in order."""

    ids: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()

    def upto(self, reads: Sequence[int]) -> Encoded:
        """As much as is needed for `reads`: what comes after the last changes nothing before it."""
        return Encoded(self.ids[: reads[-1] + 1], tuple(reads)) if reads else Encoded()

    def within(self, context: int) -> Encoded:
        """The reads that a context of so many tokens has room for."""
        return self.upto([r for r in self.reads if r < context or not context])


@dataclass(frozen=True, slots=True)
class Reading:
    """A reward model's raw outputs, one row per read, and what computing them cost."""

    rows: tuple[tuple[float, ...], ...]
    usage: Usage


def cut(solution: str, separator: str) -> list[str]:
    """The steps of a solution; the last may be unfinished, and one between two separators empty."""
    steps = solution.split(separator)
    return steps if steps[-1] else steps[:-1]


def marked(
    tokenizer: Any, text: str, marks: Sequence[int], *, special_tokens: bool = False
) -> Encoded:
    """The tokens of `text`; per mark, a place in it, the last token that ends there or before.

    Raises:
        ConfigError: the tokenizer does not tell where its tokens end.
    """
    if not tokenizer.is_fast:
        raise ConfigError(
            f"{type(tokenizer).__name__} does not tell where tokens end: the model needs its fast"
            " tokenizer (tokenizer.json)"
        )
    told = tokenizer(text, add_special_tokens=special_tokens, return_offsets_mapping=True)
    ends = [end for _, end in told["offset_mapping"]]
    return Encoded(tuple(told["input_ids"]), tuple(bisect_right(ends, m) - 1 for m in marks))
