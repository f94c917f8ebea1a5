"""How training tells what it is doing."""

from __future__ import annotations

import sys
from collections.abc import Callable

from reasoner.terminal import echo

Report = Callable[[str], None]


def say(line: str) -> None:
    """Progress goes to standard error."""
    echo(line, sys.stderr)
