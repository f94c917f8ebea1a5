"""Rows of any kind, one a problem, as the database of a run keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, RootModel

from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import SCHEMA, Header, Row, Spec
from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import clipped, shown

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound=Row)


class Environment(RootModel[dict[str, Any]]):
    """Where and with what an experiment was made."""


class Kept(Generic[R]):
    """The rows of one experiment, opened by the process that writes them.

    Raises:
        StoreError: they cannot be written, or are corrupt.
    """

    def __init__(self, database: Database, kind: type[R], header: Header) -> None:
        self.database, self.spec = database, header.spec
        database.enter(header)
        self._rows = {row.problem: row for row in _rows(database, header.spec, kind)}

    def get(self, problem: str) -> R | None:
        """The row of a problem; None if there is none, or its attempt failed."""
        row = self._rows.get(problem)
        return row if row and row.error is None else None

    def append(self, row: R, tree: BaseModel | None = None) -> None:
        """Keep a row and its tree in the place of earlier ones, and forget the calls that led there.

        The calls of an attempt that failed are kept: the next one goes on from them.
        """
        key, execute = self.spec.key, self.database.execute
        with self.database.transaction():
            told = (row.problem, row.index, row.error, row.model_dump_json())
            execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", key, *told)
            if tree:
                blob = tree.model_dump_json(exclude_defaults=True)
                execute("INSERT OR REPLACE INTO trees VALUES (?, ?, ?)", key, row.problem, blob)
            if row.error is None:
                execute("DELETE FROM calls WHERE key = ? AND problem = ?", key, row.problem)
        self._rows[row.problem] = row

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)


def kept(root: Path, spec: Spec, kind: type[R]) -> list[R]:
    """The row of every problem, in the order of the problems; none where there is no such experiment.

    Raises:
        StoreError: the database cannot be read, or is corrupt.
    """
    with Database.reading(root) as database:
        return list(_rows(database, spec, kind)) if database else []


def read_header(root: Path, spec: Spec) -> Header | None:
    """What is told of an experiment; None where there is no such one."""
    with Database.reading(root) as database:
        return _header(database, spec) if database else None


def parsed(kind: type[M], database: Database, spec: Spec, problem: object, blob: object) -> M:
    """The JSON of one problem in the tables.

    Raises:
        StoreError: it is not what it should be.
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


def _rows(database: Database, spec: Spec, kind: type[R]) -> Iterator[R]:
    _header(database, spec)
    ask = "SELECT problem, record FROM records WHERE key = ? ORDER BY place, problem"
    for problem, blob in database.stream(ask, spec.key):
        yield parsed(kind, database, spec, problem, blob)


def _header(database: Database, spec: Spec) -> Header | None:
    found = database.execute(
        "SELECT schema_version, environment FROM specs WHERE key = ?", spec.key
    )
    if not found:
        return None
    [(version, environment)] = found
    if version != SCHEMA:
        raise StoreError(
            f"{shown(database.path)} has records of schema {clipped(version, 20)}, this version writes {SCHEMA};"
            " choose another --out"
        )
    told = parsed(Environment, database, spec, "(all)", environment)
    return Header(schema_version=version, spec=spec, environment=told.root)
