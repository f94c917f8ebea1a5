"""One writer at a time."""

from __future__ import annotations

import fcntl
from io import FileIO
from pathlib import Path

from reasoner.errors import StoreError


def locked(path: Path, what: Path) -> FileIO:
    """The file at `path`, opened for appending and locked until it is closed, or its process ends.

    Raises:
        StoreError: it cannot be written, or another process has `what` it stands for in use.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab", buffering=0)
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e.strerror}; choose another --out") from e
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        file.close()
        raise StoreError(
            f"{what} is in use by another process; wait for it or choose another --out"
        ) from e
    return file
