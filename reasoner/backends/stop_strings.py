"""Strings that end a solution."""

from __future__ import annotations

from collections.abc import Sequence


def begin(ends: Sequence[str], text: str) -> int | None:
    """Return the position of the first of `ends` in a text; None if there is none."""
    return min((at for end in ends if (at := text.find(end)) >= 0), default=None)
