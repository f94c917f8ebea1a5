"""Results on disk: one SQLite file a folder, written by one process at a time, read by any number."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from reasoner.benchmarks.store.records import Header
from reasoner.errors import StoreError
from reasoner.files import clipped, locked, require_regular, shown

NAME, LOCK = "run.db", "run.lock"
LAYOUT = 1
"""The version of the tables; `records.SCHEMA` is that of the JSON in them."""

TABLES = """
CREATE TABLE specs (
    key TEXT PRIMARY KEY, label TEXT, spec TEXT, environment TEXT, schema_version INTEGER
);
CREATE TABLE records (
    key TEXT, problem TEXT, place INTEGER, error TEXT, record TEXT, PRIMARY KEY (key, problem)
);
CREATE TABLE trees (key TEXT, problem TEXT, tree TEXT, PRIMARY KEY (key, problem));
CREATE TABLE calls (
    number INTEGER PRIMARY KEY, key TEXT, problem TEXT, call TEXT, asked INTEGER, turn INTEGER,
    seconds REAL, answer TEXT, UNIQUE (key, problem, call)
);
"""
"""The tables of a run: its experiments, the record of each problem, the search trees, and the finished model
calls of the problems under way. See docs/runs.md."""

COLUMNS = {
    statement.split()[2]: " ".join(statement.rstrip(";\n").split())
    for statement in TABLES.strip().split(";\n")
}
"""The statement that creates each table, as SQLite stores it."""
LARGEST = 64 * 2**20
"""The most bytes of a value; a larger one is not read."""

NEXT = {
    sqlite3.SQLITE_FULL: "cannot write {path}: the disk is full; free some space and run the same"
    " command again: what was finished is kept",
    sqlite3.SQLITE_CORRUPT: "{path} is corrupt ({error}); rescue what can be read with"
    f" `sqlite3 {NAME} .recover`, or move it away and run again",
    sqlite3.SQLITE_BUSY: "{path} is in use by another program; wait for it or choose another --out",
}
NEXT[sqlite3.SQLITE_NOTADB] = NEXT[sqlite3.SQLITE_CORRUPT]
FOREIGN = "{path} is not a database of results ({error}); choose another --out"
OTHER = "cannot use {path}: {error}; check its folder, or choose another --out"


class Database:
    """The results in a folder, opened for writing.

    A change survives the process as soon as the call returns: the write-ahead log is the operating
    system's by then. The log is not flushed to the disk each time, so a power cut may undo the last
    changes, each as a whole.

    Raises:
        StoreError: the folder cannot be written, is in use by another process, or is corrupt.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / NAME
        _refuse_foreign(self.path, writing=True)
        self._lock: FileIO | None = locked(root / LOCK, root)
        try:
            self._connection = _connected(self.path, "mode=rwc")
            self._begin()
        except BaseException:
            self.close()
            raise

    @classmethod
    @contextmanager
    def reading(cls, root: Path) -> Generator[Self | None]:
        """Open the results in a folder for reading, beside a writer; None where there are none."""
        database = cls._existing(root)
        try:
            yield database
        finally:
            if database:
                database.close()

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; outside a transaction, a change is committed at once."""
        with _explained(self.path):
            return self._connection.execute(statement, values).fetchall()

    def stream(self, statement: str, *values: object) -> Generator[tuple[Any, ...]]:
        """Yield the rows of a statement one by one; all of them may not fit in memory."""
        with _explained(self.path):
            yield from self._connection.execute(statement, values)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit all changes made within together, or none."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # A full disk may have ended it already.
                self._connection.execute("ROLLBACK")
            raise

    def enter(self, header: Header) -> None:
        """Enter an experiment; an existing one keeps its first entry."""
        spec = header.spec
        self.execute(
            "INSERT OR IGNORE INTO specs VALUES (?, ?, ?, ?, ?)",
            spec.key, spec.label, spec.model_dump_json(),
            json.dumps(header.environment), header.schema_version,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and its lock."""
        if hasattr(self, "_connection"):
            self._connection.close()
        if self._lock:
            self._lock.close()

    @classmethod
    def _existing(cls, root: Path) -> Self | None:
        """Return the database for reading; None where its tables are not complete yet."""
        _refuse_foreign(root / NAME, writing=False)
        if not (root / NAME).exists():
            return None
        database = cls.__new__(cls)
        database.path, database._lock = root / NAME, None
        database._connection = _connected(database.path, _read_only(root))
        try:
            if database._layout():
                _check_tables(database.path, database._connection, writing=False)
                return database
        except BaseException:
            database.close()
            raise
        database.close()
        return None

    def _begin(self) -> None:
        self.execute("PRAGMA synchronous = NORMAL")
        if self._layout():
            _check_tables(self.path, self._connection, writing=True)
            self._check_pages()
            return
        self.execute("PRAGMA journal_mode = WAL")
        with self.transaction():
            for statement in TABLES.split(";\n"):
                self.execute(statement)
            self.execute(f"PRAGMA user_version = {LAYOUT}")

    def _layout(self) -> int:
        [[layout]] = self.execute("PRAGMA user_version")
        return int(layout)

    def _check_pages(self) -> None:
        """Raise now, rather than after hours, if the file is damaged."""
        [[verdict]] = self.execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise StoreError(_worded(NEXT[sqlite3.SQLITE_CORRUPT], self.path, verdict))


def _connected(path: Path, how: str) -> sqlite3.Connection:
    with _explained(path):
        name = f"file:{quote(str(path.absolute()))}?{how}"
        connection = sqlite3.connect(name, uri=True, isolation_level=None)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection


def _refuse_foreign(path: Path, *, writing: bool) -> None:
    """Raise if another kind of file has the database's name.

    The check opens it as immutable, so that SQLite creates or changes no file beside it.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        require_regular(path.with_name(path.name + suffix), "write" if writing else "read")
    if path.exists():
        with closing(_connected(path, "mode=ro&immutable=1")) as connection:
            _check_tables(path, connection, writing=writing)


def _check_tables(path: Path, connection: sqlite3.Connection, *, writing: bool) -> None:
    """Raise unless the tables are those of this version, or do not exist yet."""
    with _explained(path):
        [[layout]] = connection.execute("PRAGMA user_version")
        schema = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    if not layout and not schema:
        return
    if layout not in (0, LAYOUT):
        raise StoreError(
            f"{shown(path)} has tables of version {layout}, this program those of {LAYOUT};"
            " choose another --out"
        )
    tables = {name: sql for _, name, sql in schema if name in COLUMNS}
    if wrong := [n for n, sql in COLUMNS.items() if " ".join(str(tables.get(n)).split()) != sql]:
        raise StoreError(_worded(FOREIGN, path, f"its table {wrong[0]!r} is missing or another"))
    if writing and (names := [name for kind, name, _ in schema if kind == "trigger"]):
        raise StoreError(_worded(FOREIGN, path, f"it has a trigger {clipped(names[0], 40)!r}"))


def _worded(message: str, path: Path, error: object) -> str:
    return message.format(path=shown(path), error=clipped(error))


def _read_only(root: Path) -> str:
    """Return the mode to read in: with the writer's log, unless nobody can write there."""
    if os.access(root, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        return "mode=rw"
    return "mode=ro" if (root / f"{NAME}-wal").exists() else "mode=ro&immutable=1"


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """Raise SQLite's errors as `StoreError`, with the next step."""
    try:
        yield
    except sqlite3.Error as e:
        code = getattr(e, "sqlite_errorcode", 0) & 0xFF
        raise StoreError(_worded(NEXT.get(code, OTHER), path, e)) from e
