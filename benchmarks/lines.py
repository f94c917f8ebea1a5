"""An append-only file of JSON lines, safe against kill -9."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from reasoner.benchmarks.lock import locked
from reasoner.errors import StoreError


class Lines:
    """A file opened for appending whole lines, by one process at a time.

    A write that was killed half-way leaves a line without its newline: it was never done, and is cut
    off. `found` are the lines that were there.

    Raises:
        StoreError: the file cannot be written, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = locked(path, path)
        self.found = whole_lines(path)
        self._file.truncate(sum(map(len, self.found)))

    def append(self, line: str) -> None:
        """Write `line` and a newline in one system call."""
        try:
            os.write(self._file.fileno(), line.encode() + b"\n")
        except OSError as e:
            raise StoreError(f"cannot write {self.path}: {e.strerror}") from e

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and its lock."""
        self._file.close()


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file, one that was torn left out.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as e:
        raise StoreError(f"cannot read {path}: {e.strerror}") from e
    return lines[:-1] if lines and not lines[-1].endswith(b"\n") else lines
