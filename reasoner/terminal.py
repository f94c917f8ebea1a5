"""Terminal output: text is shown literally, and never interpreted."""

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
"""Longest line on standard error, in characters."""
TAIL = 120
"""Characters of it for the end of a longer message, which holds the advice."""
MESSAGE = 10_000
"""Characters at either end of a message that are processed."""


class SafeConsole(Console):
    """A console that shows text literally: no markup, no emoji codes, no control characters."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Render a string literally, whatever options a table or a caller passes."""
        literal: dict[str, Any] = {**settings, "markup": False, "emoji": False}
        return super().render_str(printable(text), **literal)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, and escape texts that are not plain strings."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


def echo(text: str, file: TextIO | None = None) -> None:
    """Print text from any source."""
    print(printable(text), file=file or sys.stdout, flush=True)


def complain(message: str) -> None:
    """Print one line on standard error."""
    print(line(f"reasoner: {message}"), file=sys.stderr, flush=True)


def line(message: str) -> str:
    """Return a message as one line without secrets; a long one loses its middle."""
    if len(message) > MESSAGE:
        message = f"{message[:MESSAGE]} {message[-MESSAGE:]}"
    plain = one_line(" ".join(redacted(message).split()))
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - TAIL - 3]} … {plain[-TAIL:]}"
