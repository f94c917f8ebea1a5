"""The encoding of a candidate for a reward model: token ids, and the positions of its scores."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reasoner.errors import ConfigError
from reasoner.types import Usage


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, and the positions where the model's outputs are read, in ascending order."""

    ids: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()

    def upto(self, reads: Sequence[int]) -> Encoded:
        """Return as many tokens as `reads` need: in a causal model, later ones change nothing."""
        return Encoded(self.ids[: reads[-1] + 1], tuple(reads)) if reads else Encoded()

    def within(self, context: int) -> Encoded:
        """Return the reads within a context of so many tokens; 0 is no limit."""
        return self.upto([r for r in self.reads if r < context or not context])


@dataclass(frozen=True, slots=True)
class Reading:
    """A reward model's raw outputs, one row per read, and the cost of computing them."""

    rows: tuple[tuple[float, ...], ...]
    usage: Usage


def cut(solution: str, separator: str) -> list[str]:
    """Return the steps of a solution; the last may be unfinished, and one between two separators empty."""
    steps = solution.split(separator)
    return steps if steps[-1] else steps[:-1]


def marked(
    tokenizer: Any, text: str, marks: Sequence[int], *, special_tokens: bool = False
) -> Encoded:
    """Return the tokens of `text`, read at the last token that ends at or before each mark.

    A mark is an offset in characters.

    Raises:
        ConfigError: the tokenizer has no offsets of its tokens.
    """
    if not tokenizer.is_fast:
        raise ConfigError(
            f"{type(tokenizer).__name__} has no offsets of its tokens: the model needs its fast"
            " tokenizer (tokenizer.json)"
        )
    encoding = tokenizer(text, add_special_tokens=special_tokens, return_offsets_mapping=True)
    ends = [end for _, end in encoding["offset_mapping"]]
    return Encoded(tuple(encoding["input_ids"]), tuple(bisect_right(ends, m) - 1 for m in marks))
