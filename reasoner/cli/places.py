"""Files and folders named on the command line, checked before any work begins."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

from reasoner.cli.parsing import text
from reasoner.naming import quoted


def place(given: str) -> str:
    """Return a name that a file or folder may have, whether there is one or not."""
    _require_possible(text(given))
    return given


def folder(given: str) -> Path:
    """Return a folder that results may go to; its parents may be missing."""
    path = Path(place(given))
    nearest = next(p for p in (path, *path.absolute().parents) if os.path.lexists(p))
    if not nearest.is_dir():
        raise ArgumentTypeError(f"{quoted(str(nearest))} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ArgumentTypeError(f"cannot write to {quoted(str(nearest))}: permission denied")
    return path


def output(given: str) -> Path:
    """Return a file that can be written, or replaced if it exists."""
    path = Path(place(given))
    folder(str(path.parent))
    if path.name in ("", "..") or (os.path.lexists(path) and not path.is_file()):
        raise ArgumentTypeError(f"{quoted(given)} is not a regular file")
    return path


def document(given: str) -> Path:
    """Return a regular file that exists."""
    path = Path(place(given))
    if not os.path.lexists(path):
        raise ArgumentTypeError(f"cannot read {given}: No such file")
    if not path.is_file():
        raise ArgumentTypeError(f"cannot read {given}: not a regular file")
    return path


def run(given: str) -> Path:
    """Return a folder with the results of a run."""
    return Path(place(given))


CHECKS: dict[str, Callable[[str], Path]] = {
    "folder": folder, "output": output, "document": document, "run": run,
}  # fmt: skip
"""The checks by the kinds of paths that options have (`reasoner.options.Kind`)."""


def _require_possible(given: str) -> None:
    """Refuse a path that the system cannot have: too long a name, or one with a NUL."""
    try:
        os.lstat(given)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or e
        raise ArgumentTypeError(f"{quoted(given)} cannot be a file or folder: {why}") from e
