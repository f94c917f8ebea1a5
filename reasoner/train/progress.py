"""Progress of training."""

from __future__ import annotations

import sys
from collections.abc import Callable

from reasoner.terminal import echo

Report = Callable[[str], None]


def say(line: str) -> None:
    """Print a line of progress on standard error."""
    echo(line, sys.stderr)
