"""Output of commands: text for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from reasoner.terminal import SafeConsole

if TYPE_CHECKING:
    from rich.console import Console

    from reasoner.cli.commands import Invocation


class Showable(Protocol):
    """The result of a command."""

    def as_json(self) -> dict[str, Any]:
        """Return one document for programs."""
        ...

    def show(self, console: Console) -> None:
        """Print text for people."""
        ...


def show(report: Showable, call: Invocation) -> int:
    """Print a report as `call` wants it; return exit code 0."""
    print_json(report.as_json()) if call.json else report.show(console())
    return 0


def print_json(document: Any) -> None:
    """Print the one document of a command: plain ASCII, and null for what is not a number."""
    numbers = json.loads(json.dumps(document), parse_constant=lambda _: None)
    # The one control character that JSON leaves as it is.
    print(json.dumps(numbers, indent=1).replace("\x7f", r"\u007f"))


@contextmanager
def stdout_for_json(wanted: bool) -> Generator[None]:
    """Send what engines print to standard error, so that standard output is one document."""
    if not wanted:
        yield
        return
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def console() -> SafeConsole:
    """Return standard output, wide enough for a table where no window limits it."""
    plain = SafeConsole()
    return plain if plain.is_terminal else SafeConsole(width=110)
