"""The parser of command lines, with errors of one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from reasoner.errors import ConfigError
from reasoner.naming import near, quoted

PIPED = 1_000_000
"""The most characters of a problem on standard input."""


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        from reasoner.terminal import complain

        complain(f"{message}; see `{self.prog} --help`")
        sys.exit(2)

    def actions(self) -> list[argparse.Action]:
        """Return the flags and arguments."""
        return list(self._actions)

    def parsers(self) -> Iterator[Parser]:
        """Yield this parser, and those of its commands."""
        yield self
        for action in self._actions:
            for each in action.choices.values() if isinstance(action.choices, dict) else ():
                yield from each.parsers()

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name the choices closest to a wrong one; the library would list all of them."""
        if action.choices is not None and value not in action.choices:
            hint = near(str(value), map(str, action.choices))
            raise argparse.ArgumentError(action, f"invalid choice: {quoted(value)}; {hint}")


def refuse_unreadable(word: str) -> None:
    """Raise a `ConfigError` for an argument that no file, database or terminal can show."""
    if "\0" in word or any("\ud800" <= c <= "\udfff" for c in word):
        raise ConfigError(f"the argument {quoted(word)} is no text in UTF-8")
    if word.startswith("--") and word.endswith("=--"):  # argparse would read it as no value.
        raise ConfigError(f"{word[:-3]} has no value; see `reasoner --help`")


def piped() -> str:
    """Read the problem from standard input.

    Raises:
        ConfigError: it cannot be read, is not text, or is longer than `PIPED`.
    """
    try:
        problem = sys.stdin.read(PIPED + 1).strip() if sys.stdin else ""
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"cannot read the problem from standard input: {e}") from e
    if len(problem) > PIPED:
        raise ConfigError(
            f"the problem on standard input has more than {PIPED} characters; shorten it"
        )
    return problem
