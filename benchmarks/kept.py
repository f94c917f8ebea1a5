"""Rows of any kind on disk, one JSON line a problem, so that a killed run goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Generic, Self, TypeVar

from pydantic import ValidationError

from reasoner.benchmarks.lines import Lines, whole_lines
from reasoner.benchmarks.spec import Frozen, Header
from reasoner.benchmarks.store import read_header
from reasoner.errors import StoreError


class Row(Frozen):
    """What is kept of one problem; `index` is its place in the split."""

    problem: str
    index: int
    error: str | None = None


R = TypeVar("R", bound=Row)


class Kept(Generic[R]):
    """Rows opened for appending by one process at a time.

    Raises:
        StoreError: the file cannot be written, is corrupt, or another process has it open.
    """

    def __init__(self, path: Path, kind: type[R], header: Header) -> None:
        self._lines = Lines(path)
        try:
            self._rows = dict(_rows(path, kind, self._lines.found))
        except BaseException:
            self._lines.close()
            raise
        if not self._lines.found:
            self._lines.append(header.model_dump_json())

    def get(self, problem: str) -> R | None:
        """The row of a problem; None if there is none, or its attempt failed."""
        row = self._rows.get(problem)
        return row if row and row.error is None else None

    def append(self, row: R) -> None:
        """Write one row as one line."""
        self._lines.append(row.model_dump_json())
        self._rows[row.problem] = row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()


def kept(path: Path, kind: type[R]) -> list[R]:
    """The latest row of every problem in order; none where there is no file.

    Raises:
        StoreError: the file is corrupt.
    """
    if not path.exists():
        return []
    found = dict(_rows(path, kind, whole_lines(path)))
    return sorted(found.values(), key=lambda row: row.index)


def _rows(path: Path, kind: type[R], lines: list[bytes]) -> Iterator[tuple[str, R]]:
    if lines:
        read_header(path)
    for number, line in enumerate(lines[1:], start=2):
        try:
            row = kind.model_validate_json(line)
        except ValidationError as e:
            reason = e.errors()[0]["msg"]
            raise StoreError(
                f"{path}:{number} is corrupt ({reason}); delete that line or choose another --out"
            ) from e
        yield row.problem, row
