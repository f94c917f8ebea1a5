"""What people read in a terminal: text is shown as it is, and never acted on."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from reasoner.printable import one_line, printable
from reasoner.redaction import redacted

LONGEST = 300
"""Characters of a line on standard error."""
TAIL = 120
"""How many of them are the end of a message too long for it: the advice."""
MESSAGE = 10_000
"""Characters at either end of a message that are looked at."""


class SafeConsole(Console):
    """A console that takes text literally: no markup, no emoji codes, nothing the terminal acts on."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Take a string literally, whatever a table or a call asks for."""
        literally: dict[str, Any] = {**settings, "markup": False, "emoji": False}
        return super().render_str(printable(text), **literally)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render; texts that are no strings are made printable here."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


def echo(text: str, file: TextIO | None = None) -> None:
    """Print text of any origin."""
    print(printable(text), file=file or sys.stdout, flush=True)


def complain(message: str) -> None:
    """Print one line on standard error."""
    print(line(f"reasoner: {message}"), file=sys.stderr, flush=True)


def line(message: str) -> str:
    """Return a message as one line without secrets, its middle left out where it is too long."""
    if len(message) > MESSAGE:
        message = f"{message[:MESSAGE]} {message[-MESSAGE:]}"
    plain = one_line(" ".join(redacted(message).split()))
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - TAIL - 3]} … {plain[-TAIL:]}"
