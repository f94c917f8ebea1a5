"""The library's log on the command line: standard error, and a file with `--log-file`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from reasoner.cli.places import CHECKS
from reasoner.errors import StoreError
from reasoner.redaction import redacted
from reasoner.terminal import complain, line

LOG = logging.getLogger("reasoner")
BAR = logging.getLogger("reasoner.progress.bar")
LINES = "reasoner.progress"
"""The logger of lines that a bar replaces where somebody watches."""


def add_log_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--quiet` and `--log-file`."""
    parser.add_argument(
        "--quiet", action="store_true", help="no progress, only warnings and errors"
    )
    parser.add_argument(
        "--log-file",
        type=CHECKS["output"],
        metavar="FILE",
        help="append progress and warnings to it",
    )


@contextmanager
def logged(quiet: bool, file: Path | None) -> Generator[None]:
    """Show the log on standard error, warnings alone if `quiet`; append all of it to `file`, if given.

    Raises:
        StoreError: the file cannot be written.
    """
    screen = Screen(logging.WARNING if quiet else logging.INFO)
    with ExitStack() as stack:
        stack.enter_context(_attached(screen))
        if file:
            stack.enter_context(_attached(_file(file)))
        levels = [(LOG, logging.INFO if file or not quiet else logging.WARNING)]
        levels += [(BAR, logging.WARNING)] if quiet else []
        for logger, level in levels:
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(level)
        yield


class Screen(logging.Handler):
    """Prints records on standard error, except lines in place of which a bar is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        if record.name != LINES or not sys.stderr.isatty():
            complain(record.getMessage())


class OneLine(logging.Formatter):
    """Formats a record as one line with its time, without secrets and control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = self.formatTime(record, "%Y-%m-%d %H:%M:%S")
        return f"{time} {record.levelname} {record.name}: {line(redacted(record.getMessage()))}"


def _file(path: Path) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e.strerror}; choose another --log-file") from e
    handler.setFormatter(OneLine())
    return handler


@contextmanager
def _attached(handler: logging.Handler) -> Generator[None]:
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        handler.close()
