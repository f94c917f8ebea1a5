"""How training tells what it is doing."""

from __future__ import annotations

import sys
from collections.abc import Callable

Report = Callable[[str], None]


def say(line: str) -> None:
    """Progress goes to standard error."""
    print(line, file=sys.stderr, flush=True)
