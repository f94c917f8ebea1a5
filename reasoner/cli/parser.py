"""The words of a command line, and how a wrong one is told."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

from reasoner.errors import ConfigError
from reasoner.naming import near, quoted
from reasoner.terminal import complain

PIPED = 1_000_000
"""Characters of a problem that is read from standard input, at most."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        complain(f"{message}; see `{self.prog} --help`")
        sys.exit(2)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Tell which choice is alike; the library lists all of them."""
        if action.choices is not None and value not in action.choices:
            hint = near(str(value), map(str, action.choices))
            raise argparse.ArgumentError(action, f"invalid choice: {quoted(value)}; {hint}")


def refuse_unreadable(word: str) -> None:
    """Raise a `ConfigError` for an argument that no file, database or terminal could show again."""
    if "\0" in word or any("\ud800" <= c <= "\udfff" for c in word):
        raise ConfigError(f"the argument {quoted(word)} is no text in UTF-8")
    if word.startswith("--") and word.endswith("=--"):  # The library would take it for no value.
        raise ConfigError(f"{word[:-3]} has no value; see `reasoner --help`")


def piped() -> str:
    """The problem on standard input.

    Raises:
        ConfigError: there is none, or it is no text, or too much.
    """
    try:
        problem = sys.stdin.read(PIPED + 1).strip() if sys.stdin else ""
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"cannot read the problem from standard input: {e}") from e
    if len(problem) > PIPED:
        raise ConfigError(f"standard input has more than {PIPED} characters: that is no problem")
    return problem
