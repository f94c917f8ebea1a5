"""Rows of any kind on disk: a header, then one JSON line a problem, so that a killed run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, ValidationError

from reasoner.benchmarks.lines import Lines, whole_lines
from reasoner.benchmarks.spec import SCHEMA, Header, Row
from reasoner.errors import StoreError

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound=Row)


class Kept(Generic[R]):
    """Rows opened for appending by one process at a time.

    Raises:
        StoreError: the file cannot be written, is corrupt, or another process has it open.
    """

    def __init__(self, path: Path, kind: type[R], header: Header) -> None:
        self.path = path
        self._lines = Lines(path)
        try:
            self._rows = dict(_rows(path, kind, self._lines.found))
        except BaseException:
            self.close()
            raise
        if not self._lines.found:
            self._lines.append(header.model_dump_json())

    def get(self, problem: str) -> R | None:
        """The row of a problem; None if there is none, or its attempt failed."""
        row = self._rows.get(problem)
        return row if row and row.error is None else None

    def append(self, row: R) -> None:
        """Write one row as one line, in one system call."""
        self._lines.append(row.model_dump_json())
        self._rows[row.problem] = row

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and its lock."""
        self._lines.close()


def kept(path: Path, kind: type[R]) -> list[R]:
    """The latest row of every problem, in the order of the problems; none where there is no file.

    Raises:
        StoreError: the file is corrupt.
    """
    if not path.exists():
        return []
    found = dict(_rows(path, kind, whole_lines(path)))
    return sorted(found.values(), key=lambda row: row.index)


def read_header(path: Path) -> Header:
    """What a results file says of itself."""
    return _header(path, (whole_lines(path) or [b""])[0])


def _rows(path: Path, kind: type[R], lines: list[bytes]) -> Iterator[tuple[str, R]]:
    if lines:
        _header(path, lines[0])
    for number, line in enumerate(lines[1:], start=2):
        row = _parse(kind, path, number, line)
        yield row.problem, row


def _header(path: Path, line: bytes) -> Header:
    header = _parse(Header, path, 1, line)
    if header.schema_version != SCHEMA:
        raise StoreError(
            f"{path} has schema {header.schema_version}, this version writes {SCHEMA}; "
            "choose another --out"
        )
    return header


def _parse(kind: type[M], path: Path, number: int, line: bytes) -> M:
    try:
        return kind.model_validate_json(line)
    except ValidationError as e:
        reason = e.errors()[0]["msg"]
        raise StoreError(
            f"{path}:{number} is corrupt ({reason}); delete that line or choose another --out"
        ) from e
