"""Results on disk: one file of JSON lines per experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from reasoner.benchmarks.lines import Lines, whole_lines
from reasoner.benchmarks.spec import SCHEMA, Header, Record, Spec
from reasoner.errors import StoreError
from reasoner.registry import called

Row = TypeVar("Row", bound=BaseModel)


class Store:
    """The results of one spec, opened for appending by one process at a time."""

    def __init__(self, root: Path, spec: Spec, environment: Mapping[str, Any] = {}) -> None:
        self.spec = spec
        self.path = store_path(root, spec)
        self._lines = Lines(self.path)
        try:
            self._records = _records(self.path, self._lines.found)
        except BaseException:
            self.close()
            raise
        if not self._lines.found:
            self._write(Header(spec=spec, environment=dict(environment)))

    def append(self, record: Record) -> None:
        """Write one record as one line, in one system call."""
        self._write(record)
        self._records[record.problem] = record

    def done(self) -> set[str]:
        """Problems that need no further attempt; failed ones get another."""
        return {p for p, r in self._records.items() if r.error is None}

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and its lock."""
        self._lines.close()

    def _write(self, row: BaseModel) -> None:
        self._lines.append(row.model_dump_json())


def store_path(root: Path, spec: Spec) -> Path:
    """Where the results of `spec` live under `root`."""
    return root / f"{spec.task}-{called(spec.strategy)[0]}-{spec.key}.jsonl"


def read(root: Path, spec: Spec) -> list[Record]:
    """The latest record of every problem of `spec`; none if it was never run.

    Raises:
        StoreError: the file is corrupt.
    """
    path = store_path(root, spec)
    return list(_records(path, whole_lines(path)).values()) if path.exists() else []


def read_header(path: Path) -> Header:
    """What a results file says of itself."""
    return _header(path, (whole_lines(path) or [b""])[0])


def _records(path: Path, lines: list[bytes]) -> dict[str, Record]:
    if lines:
        _header(path, lines[0])
    records: dict[str, Record] = {}
    for number, line in enumerate(lines[1:], start=2):
        record = _parse(Record, path, number, line)
        records[record.problem] = record
    return records


def _header(path: Path, line: bytes) -> Header:
    header = _parse(Header, path, 1, line)
    if header.schema_version != SCHEMA:
        raise StoreError(
            f"{path} has schema {header.schema_version}, this version writes {SCHEMA}; "
            "choose another --out"
        )
    return header


def _parse(kind: type[Row], path: Path, number: int, line: bytes) -> Row:
    try:
        return kind.model_validate_json(line)
    except ValidationError as e:
        reason = e.errors()[0]["msg"]
        raise StoreError(
            f"{path}:{number} is corrupt ({reason}); delete that line or choose another --out"
        ) from e
