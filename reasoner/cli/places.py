"""Files and folders that are named on the command line, looked at before any work begins."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from pathlib import Path

from reasoner.cli.parsing import text
from reasoner.naming import quoted


def place(given: str) -> str:
    """A name that a file or folder may have, if there is one or not."""
    _possible(text(given))
    return given


def folder(given: str) -> Path:
    """A folder that results may go to; its parents may be missing as well."""
    path = Path(place(given))
    nearest = next(p for p in (path, *path.absolute().parents) if os.path.lexists(p))
    if not nearest.is_dir():
        raise ArgumentTypeError(f"{quoted(str(nearest))} is no folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ArgumentTypeError(f"nothing may be written to {quoted(str(nearest))}")
    return path


def output(given: str) -> Path:
    """A file that may be written, or replaced where there is one."""
    path = Path(place(given))
    folder(str(path.parent))
    if path.name in ("", "..") or (os.path.lexists(path) and not path.is_file()):
        raise ArgumentTypeError(f"{quoted(given)} is no plain file")
    return path


def document(given: str) -> Path:
    """A plain file that is there to be read."""
    path = Path(place(given))
    if not os.path.lexists(path):
        raise ArgumentTypeError(f"cannot read {given}: No such file")
    if not path.is_file():
        raise ArgumentTypeError(f"cannot read {given}: it is no plain file")
    return path


def run(given: str) -> Path:
    """A folder with the results of a run."""
    return Path(place(given))


def _possible(given: str) -> None:
    """Refuse what cannot even be looked for: too long a name, or one with a NUL."""
    try:
        os.lstat(given)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or e
        raise ArgumentTypeError(f"{quoted(given)} cannot be a file or folder: {why}") from e
