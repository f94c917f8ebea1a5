"""Failures of commands: one line on standard error, and a log of unforeseen errors."""

from __future__ import annotations

import errno
import os
import platform
import shlex
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from tempfile import mkstemp

from reasoner.extras import DISTRIBUTION, missing
from reasoner.redaction import redacted
from reasoner.terminal import complain, line


def foreseen(error: BaseException) -> int:
    """Report what the machine lacks and return exit code 2; return 0 for any other error."""
    if lacked := missing(error):
        complain(str(lacked))
        return 2
    match error:
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            complain(f"{error.strerror}" + (f": {error.filename}" if error.filename else ""))
        case _:
            return 0
    return 2


def unforeseen(error: BaseException, argv: Sequence[str]) -> int:
    """Report a bug in one line that names its log; return the exit code `EX_SOFTWARE`."""
    try:
        place = f"the traceback is in {_log(error, argv)}, please report it"
    except OSError as e:
        place = f"no log could be written ({e.strerror})"
    reason = line(f"{type(error).__name__}: {error}")[:120]
    complain(f"this is a bug in reasoner: {reason}; {place}")
    return os.EX_SOFTWARE


def _log(error: BaseException, argv: Sequence[str]) -> str:
    """Write the record of an error to a file that only its owner can read, and return its path."""
    number, path = mkstemp(prefix="reasoner-", suffix=".log")
    with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(_record(error, argv))
    return path


def _record(error: BaseException, argv: Sequence[str]) -> str:
    """Return the command, the versions and the traceback, without secrets."""
    command = shlex.join(["reasoner", *argv])
    where = f"reasoner {version(DISTRIBUTION)}, Python {platform.python_version()}, {sys.platform}"
    return redacted("\n".join([command, where, "", *traceback.format_exception(error)]))
