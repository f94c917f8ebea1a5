"""Rows in the database of a run, one a problem; records are those of a benchmark."""

from __future__ import annotations

import gc
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, RootModel

from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import SCHEMA, Header, Record, Spec, StoredRow
from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import clipped, shown

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound=StoredRow)
NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
"""The number of a problem, which SQLite can hold."""


class Environment(RootModel[dict[str, Any]]):
    """The software and hardware of an experiment."""


class Kept(Generic[R]):
    """The rows of one experiment, open for writing.

    Raises:
        StoreError: the rows cannot be written, or are corrupt.
    """

    def __init__(self, database: Database, kind: type[R], header: Header) -> None:
        self.database, self.spec = database, header.spec
        database.enter(header)
        self._rows = {row.problem: row for row in _rows(database, header.spec, kind)}

    def get(self, problem: str) -> R | None:
        """Return the row of a problem; None if it has none, or its attempt failed."""
        row = self._rows.get(problem)
        return row if row and row.error is None else None

    def append(self, row: R, tree: BaseModel | None = None) -> None:
        """Write a row and its tree in place of earlier ones, and delete the problem's logged calls.

        The calls of an attempt that is not settled stay: the next attempt resumes from them.
        """
        key, execute = self.spec.key, self.database.execute
        with self.database.transaction():
            values = (row.problem, row.index, row.error, row.model_dump_json())
            execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", key, *values)
            if tree:
                blob = tree.model_dump_json(exclude_defaults=True)
                execute("INSERT OR REPLACE INTO trees VALUES (?, ?, ?)", key, row.problem, blob)
            if row.settled:
                execute("DELETE FROM calls WHERE key = ? AND problem = ?", key, row.problem)
        self._rows[row.problem] = row

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)


class Store(Kept[Record]):
    """The records of one experiment, open for writing."""

    def __init__(self, database: Database, spec: Spec, environment: Mapping[str, Any] = {}) -> None:
        super().__init__(database, Record, Header(spec=spec, environment=dict(environment)))

    def done(self) -> set[str]:
        """Return the problems that need no further attempt; failed and unfinished ones get another."""
        return {row.problem for row in self if row.settled}


def kept(root: Path, spec: Spec, kind: type[R]) -> list[R]:
    """Read the row of every problem, in their order; an unknown experiment has none.

    Raises:
        StoreError: the database cannot be read, or is corrupt.
    """
    with Database.reading(root) as database:
        return _rows(database, spec, kind) if database else []


def read(root: Path, spec: Spec) -> list[Record]:
    """Read the record of every problem of `spec`, in their order; none if it was never run.

    Raises:
        StoreError: the database cannot be read, or is corrupt.
    """
    return kept(root, spec, Record)


def read_named(root: Path, spec: Spec, problem: str) -> list[Record]:
    """Read the records whose problem has an id or a number, without parsing others; raises as `read`."""
    number = int(problem) if NUMBER.fullmatch(problem) else None
    where = "AND (problem = ? OR place = ?)"
    with Database.reading(root) as database:
        return _rows(database, spec, Record, where, problem, number) if database else []


def read_header(root: Path, spec: Spec) -> Header | None:
    """Read the schema and the environment of an experiment; None where it was never run."""
    with Database.reading(root) as database:
        return _header(database, spec) if database else None


def parsed(kind: type[M], database: Database, spec: Spec, problem: object, blob: object) -> M:
    """Parse the JSON of one problem in the tables.

    Raises:
        StoreError: it is no `kind`.
    """
    name = kind.__name__.lower()
    try:
        if isinstance(blob, str):
            return parse_model(kind, blob)
        raise Malformed("it is not text")
    except Malformed as e:
        raise StoreError(
            f"{shown(database.path)} is corrupt: the {name} of {clipped(spec.label, 40)}, problem"
            f" {clipped(problem, 40)} (experiment {spec.key}): {e}; delete that row or choose another"
            " --out"
        ) from e


def _rows(
    database: Database, spec: Spec, kind: type[R], where: str = "", *values: str | int | None
) -> list[R]:
    """Return the rows by place; SQLite would copy every row to sort them."""
    _header(database, spec)
    query = f"SELECT problem, record FROM records WHERE key = ? {where}"
    with closing(database.stream(query, spec.key, *values)) as stored, _no_collection():
        rows = [parsed(kind, database, spec, problem, blob) for problem, blob in stored]
    return sorted(rows, key=lambda row: (row.index, row.problem))


@contextmanager
def _no_collection() -> Generator[None]:
    """Pause garbage collection: visiting the rows so far again and again takes half of the time to parse them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _header(database: Database, spec: Spec) -> Header | None:
    rows = database.execute("SELECT schema_version, environment FROM specs WHERE key = ?", spec.key)
    if not rows:
        return None
    [(version, environment)] = rows
    if version != SCHEMA:
        raise StoreError(
            f"{shown(database.path)} has records of schema {clipped(version, 20)}, this version writes {SCHEMA};"
            " choose another --out"
        )
    about = parsed(Environment, database, spec, "(all)", environment)
    return Header(schema_version=version, spec=spec, environment=about.root)
