"""Grading of multiple choice."""

import re

from reasoner.benchmarks.tasks.grading.exact import plain
from reasoner.benchmarks.tasks.grading.extraction import stated
from reasoner.errors import ConfigError

_WHOLE = re.compile(r"\(?([A-Ja-j])\)?")
_LEADING = re.compile(r"(?:[Oo]ption |[Cc]hoice )?([A-J])(?=$|[).:])")
_BRACKETED = re.compile(r"\(([A-J])\)")


def choice(answer: str, reference: str) -> bool:
    """Return whether an answer or a whole solution chooses the reference's letter, A to J.

    Raises:
        ConfigError: the reference is not a letter.
    """
    wanted = _WHOLE.fullmatch(plain(reference))
    if wanted is None:
        raise ConfigError(
            f"the reference of a multiple choice is a letter from A to J, not {reference!r};"
            " grade other answers by 'exact', 'numeric' or 'symbolic'"
        )
    return letter(answer) == wanted[1].upper()


def letter(text: str) -> str | None:
    """Return the letter that a solution chooses; None where it names none, or more than one."""
    chosen = plain(stated(text) or text)
    if whole := _WHOLE.fullmatch(chosen):
        return whole[1].upper()
    named = {match[1] for match in _BRACKETED.finditer(chosen)}
    if not named and (leading := _LEADING.match(chosen)):
        return leading[1]
    return named.pop() if len(named) == 1 else None
