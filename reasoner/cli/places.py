"""Files and folders named on the command line, checked before any work begins."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

from reasoner.cli.parsing import text
from reasoner.naming import quoted


def place(value: str) -> str:
    """Return a name that a file or folder may have, whether there is one or not."""
    _require_possible(text(value))
    return value


def folder(value: str) -> Path:
    """Return a folder that results may go to; its parents may be missing."""
    path = Path(place(value))
    nearest = next(p for p in (path, *path.absolute().parents) if os.path.lexists(p))
    if not nearest.is_dir():
        raise ArgumentTypeError(f"{quoted(str(nearest))} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ArgumentTypeError(f"cannot write to {quoted(str(nearest))}: permission denied")
    return path


def output(value: str) -> Path:
    """Return a file that can be written, or replaced if it exists."""
    path = Path(place(value))
    folder(str(path.parent))
    if path.name in ("", "..") or (os.path.lexists(path) and not path.is_file()):
        raise ArgumentTypeError(f"{quoted(value)} is not a regular file")
    return path


def document(value: str) -> Path:
    """Return a regular file that exists."""
    path = Path(place(value))
    if not os.path.lexists(path):
        raise ArgumentTypeError(f"cannot read {value}: No such file")
    if not path.is_file():
        raise ArgumentTypeError(f"cannot read {value}: not a regular file")
    return path


def run(value: str) -> Path:
    """Return a folder with the results of a run."""
    return Path(place(value))


CHECKS: dict[str, Callable[[str], Path]] = {
    "folder": folder, "output": output, "document": document, "run": run,
}  # fmt: skip
"""The checks by the kinds of paths that options have (`reasoner.options.Kind`)."""


def _require_possible(value: str) -> None:
    """Refuse a path that the system cannot have: too long a name, or one with a NUL."""
    try:
        os.lstat(value)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or e
        raise ArgumentTypeError(f"{quoted(value)} cannot be a file or folder: {why}") from e
