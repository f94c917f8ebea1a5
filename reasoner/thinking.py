"""Thinking: the part of a model's reply that comes before its answer, between marks of its own.

A reply that is cut off while the model thinks is all thinking. Where the prompt itself ends in an opening
mark, as in the chat templates of Qwen3 and DeepSeek-R1, the reply has only the closing one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

FINAL = "<|channel|>final<|message|>"
"""The beginning of the answer in the format of gpt-oss (harmony)."""

MARKS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "<mm:think>": "</mm:think>",
    "<|think|>": "<|/think|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|channel>thought": "<channel|>",
    "<|channel|>analysis<|message|>": FINAL,
    "<|channel|>commentary<|message|>": FINAL,
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
}
"""The mark that ends thinking, by the one that begins it."""

CHANNEL = ("<|channel|>", "<|start|>", "<|message|>", "<|end|>")
"""Special tokens of gpt-oss that its marks consist of."""

_CLOSING = tuple(dict.fromkeys(MARKS.values()))
_FIRST = frozenset(mark[0] for mark in (*MARKS, *_CLOSING))
"""The characters that marks begin with, few of which stand in other text."""
_OPENING = "|".join(map(re.escape, MARKS))
_OPEN = re.compile(rf"^[ \t]*(?:<\|start\|>assistant)?({_OPENING})", re.MULTILINE)
"""A mark counts at the start of a line: further on, it is mentioned rather than used."""
_CLOSE = re.compile("|".join(map(re.escape, _CLOSING)))
_PLAIN_OPEN = re.compile(r"\Aanalysis(?=[A-Z])")
PLAIN_CLOSE = "assistantfinal"
"""The marks of gpt-oss where a server left out the special tokens around the names of channels."""
_AT_END = re.compile(rf"(?:<\|start\|>assistant)?(?:{_OPENING})\s*\Z")


@dataclass(frozen=True, slots=True)
class Parts:
    """A reply's thinking and answer, as positions in its text.

    The answer is `text[end:resumed]`; before it and after it there is thinking, marks included. `opening`
    is the mark of thinking that has not ended; empty if there is none.
    """

    text: str
    end: int
    resumed: int
    opening: str = ""

    @property
    def answer(self) -> str:
        """The text after the thinking; empty while the model thinks."""
        return self.text[self.end : self.resumed]

    @property
    def thinking(self) -> str:
        """The thinking without its marks; empty where there is none."""
        parts = self.text[: self.end], self.text[self.resumed :]
        return "\n".join(filter(None, map(_unmarked, parts)))

    @property
    def unfinished(self) -> bool:
        """True if the text ends within thinking."""
        return bool(self.opening)

    def thought(self, start: int, stop: int) -> int:
        """Return how many of the characters from `start` to `stop` are thinking."""
        answered = max(0, min(stop, self.resumed) - max(start, self.end))
        return stop - start - answered


def split(text: str) -> Parts:
    """Return the parts of a reply: the answer follows the last closing mark, up to thinking that resumes."""
    plain = _PLAIN_OPEN.match(text)
    if not plain and not any(first in text for first in _FIRST):
        return Parts(text, 0, len(text))
    # Mark by mark, since it is done for every step: several times as fast as one pattern for all.
    end = max(_last_end(text, mark) for mark in (*_CLOSING, *((PLAIN_CLOSE,) if plain else ())))
    if plain and not end:
        return Parts(text, 0, 0, plain[0])
    rest = text[end:]
    if any(mark in rest for mark in MARKS) and (opened := _OPEN.search(rest)):
        return Parts(text, end, end + opened.start(), opened[1])
    return Parts(text, end, len(text))


def _last_end(text: str, mark: str) -> int:
    """Return the position after the last occurrence of a mark; 0 if there is none."""
    return at + len(mark) if (at := text.rfind(mark)) >= 0 else 0


def answer_text(reply: str) -> str:
    """Return the part of a reply that may state its answer: what follows the thinking."""
    return split(reply).answer


def before_close(text: str) -> str | None:
    """Return `text` up to its last closing mark; None where there is none."""
    marks = [mark.start() for mark in _CLOSE.finditer(text)]
    return text[: marks[-1]] if marks else None


def closing(opening: str) -> str:
    """Return the text that ends the thinking which `opening` began."""
    mark = MARKS.get(opening, FINAL)
    return f"<|end|><|start|>assistant{mark}" if mark == FINAL else mark


def mark_tokens(special: Iterable[str]) -> frozenset[str]:
    """Return those of a tokenizer's special tokens that are marks, or parts of marks."""
    known = frozenset(special)
    parts = {"<|channel>", *(CHANNEL if CHANNEL[0] in known else ())}
    return known & parts.union(MARKS, MARKS.values())


def open_mark(prompt: str) -> str:
    """Return the opening mark in which a prompt ends, with the space after it; empty if it ends in none."""
    mark = _AT_END.search(prompt)
    return mark[0] if mark else ""


def _unmarked(text: str) -> str:
    plain = _CLOSE.sub("", _OPEN.sub("", text)).replace(PLAIN_CLOSE, "")
    return _PLAIN_OPEN.sub("", plain).strip()
