"""Tools inside a solution: the code that a model writes for one, and the output that follows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from reasoner.printable import printable
from reasoner.types import Completion

OUTPUT = "```output\n{}\n```\n"
"""The frame of an output, as models that were trained with tools know it."""
FENCE = re.compile(r"`{3,}")
SPECIAL = re.compile(r"[<◁](?=[\w/|])|\[(?=/?[A-Z_]+\])")
"""The beginnings of what a tokenizer may read as a special token, and of marks of thinking."""
CUT = "…"
CHARACTERS = 32
"""The most characters of an output for each token that it may have; longer ones are cut before they are encoded."""


@runtime_checkable
class Tool(Protocol):
    """A program that a model may use while it writes a solution.

    `calls` is the most calls in one solution, `tokens` the most tokens of an output.
    """

    @property
    def opening(self) -> str:
        """The text that begins a call, at the start of a line."""
        ...

    @property
    def closing(self) -> str:
        """The text that ends a call."""
        ...

    @property
    def calls(self) -> int: ...

    @property
    def tokens(self) -> int: ...

    async def run(self, code: str) -> str:
        """Return the output of a call, as untrusted text.

        Raises:
            ConfigError: the tool is not available.
        """
        ...


@dataclass(frozen=True, slots=True)
class Called:
    """The calls in the beginning of a solution: their number, and the characters up to the end of the last output."""

    calls: int = 0
    end: int = 0

    @classmethod
    def of(cls, pieces: Sequence[Completion]) -> Called:
        """Return the calls in the pieces of a solution."""
        calls = end = start = 0
        for piece in pieces:
            if piece.outputs:
                calls, end = calls + len(piece.outputs), start + piece.outputs[-1].end
            start += len(piece.text)
        return cls(calls, end)


def called_code(tool: Tool, text: str) -> str | None:
    """Return the code of the call in which a text ends; None if it ends in none."""
    at = text.rfind(tool.opening)
    code = text[at + len(tool.opening) :] if at >= 0 else ""
    begun = at >= 0 and not text[:at].rpartition("\n")[2].strip()
    # The end of the opening may be the beginning of the closing.
    ended = text.endswith(tool.closing) and len(code) >= len(tool.closing.lstrip("\n"))
    if not (begun and ended):
        return None
    code = ("\n" + code).removesuffix(tool.closing)
    return None if tool.closing in code + "\n" else code.removeprefix("\n")


def harmless(text: str) -> str:
    """Return an output without what a tokenizer, a parser of fences or a terminal could act on."""
    return SPECIAL.sub(lambda mark: mark[0] + " ", FENCE.sub("'''", printable(text)))


def framed(text: str, most: int, encode: Callable[[str], Sequence[int]]) -> tuple[str, list[int]]:
    """Return an output in its frame with its tokens, cut so that it has at most `most` without the frame."""
    shown = harmless(text[: CHARACTERS * most]).rstrip("\n")
    cut = len(text) > CHARACTERS * most
    while (size := len(encode(shown))) > most:
        shown, cut = shown[: min(len(shown) - 1, len(shown) * most // size)], True
    whole = OUTPUT.format(shown + CUT * cut)
    return whole, list(encode(whole))
