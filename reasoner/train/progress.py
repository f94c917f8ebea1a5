"""Progress of training."""

from __future__ import annotations

import logging
from collections.abc import Callable

from reasoner.printable import printable

Report = Callable[[str], None]

logger = logging.getLogger(__name__)


def say(line: str) -> None:
    """Log a line of progress."""
    logger.info("%s", printable(line))
