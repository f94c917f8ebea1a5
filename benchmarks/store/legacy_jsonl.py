"""Results of versions that kept them as JSON lines: a file of records an experiment, its trees beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reasoner.benchmarks.store.records import SCHEMA, Header, Row
from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import shown, whole_lines
from reasoner.schema import Frozen

NAMED = re.compile(r"-[0-9a-f]{12}\.jsonl$")


@dataclass(frozen=True, slots=True)
class Result:
    """One experiment: records as (problem, place, error, JSON), and trees as (problem, JSON)."""

    header: Header
    rows: list[tuple[str, int, str | None, str]]
    trees: list[tuple[str, str]]


class _Any(Row, extra="ignore"):
    """What rows of every kind have in common."""


class _AnyTree(Frozen, extra="ignore"):
    """The name of a tree's problem."""

    problem: str


def there(root: Path) -> bool:
    """Whether a folder holds such results."""
    return any(_files(root))


def results(root: Path) -> Iterator[Result]:
    """What the files in a folder hold; the latest of several records of a problem comes last.

    Raises:
        StoreError: a file cannot be read, or is corrupt.
    """
    for path in _files(root):
        first, *lines = whole_lines(path) or [b""]
        if first:
            yield Result(
                _header(path, first), _rows(path, lines), _trees(path.with_suffix(".trees"))
            )


def _files(root: Path) -> list[Path]:
    return sorted(p for p in root.glob("*.jsonl") if NAMED.search(p.name))


def _header(path: Path, line: bytes) -> Header:
    try:
        header = parse_model(Header, line)
    except Malformed as e:
        raise _corrupt(path, 1, str(e)) from e
    if header.schema_version != SCHEMA:
        raise StoreError(
            f"{shown(path)} has schema {header.schema_version}, this version reads {SCHEMA};"
            " move it away or choose another --out"
        )
    return header


def _rows(path: Path, lines: list[bytes]) -> list[tuple[str, int, str | None, str]]:
    rows = list[tuple[str, int, str | None, str]]()
    for number, line in enumerate(lines, start=2):
        try:
            row = parse_model(_Any, line)
        except Malformed as e:
            raise _corrupt(path, number, str(e)) from e
        rows.append((row.problem, row.index, row.error, line.decode()))
    return rows


def _trees(path: Path) -> list[tuple[str, str]]:
    trees = list[tuple[str, str]]()
    for number, line in enumerate(whole_lines(path) if path.exists() else [], start=1):
        try:
            trees.append((parse_model(_AnyTree, line).problem, line.decode()))
        except Malformed as e:
            raise _corrupt(path, number, str(e)) from e
    return trees


def _corrupt(path: Path, number: int, reason: str) -> StoreError:
    return StoreError(
        f"{shown(path)}:{number} is corrupt ({reason}); delete that line and run again"
    )
