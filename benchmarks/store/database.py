"""Results on disk: one SQLite file a folder, written by one process at a time, read by any number."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from reasoner.benchmarks.store import legacy_jsonl as former
from reasoner.benchmarks.store.records import Header
from reasoner.errors import StoreError
from reasoner.files import clipped, locked, require_regular, shown

NAME, LOCK = "run.db", "run.lock"
LAYOUT = 1
"""The version of the tables; that of what is in their JSON is `spec.SCHEMA`."""

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
"""What a run keeps: its experiments, what became of each problem, the trees that searches grew, and the
finished model calls of the problems under way. docs/runs.md tells more."""

COLUMNS = {
    statement.split()[2]: " ".join(statement.rstrip(";\n").split())
    for statement in TABLES.strip().split(";\n")
}
"""The statement of each table, as the database has it."""
LARGEST = 64 * 2**20
"""The most bytes of a value: what is larger is not read."""

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
    """The results in a folder, opened for writing; those of an older version are taken in.

    A change is there for good when it returns, whatever becomes of the process: the write-ahead log is
    the operating system's by then. It is not flushed to the disk each time, so that a power cut may
    take the last changes back, each as a whole.

    Raises:
        StoreError: the folder cannot be written, is in use by another process, or is corrupt.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / NAME
        _refuse_foreign(self.path, writing=True)
        self._lock: FileIO | None = locked(root / LOCK, root)
        try:
            self._connection = _connected(self.path, "mode=rwc")
            self._begin(root)
        except BaseException:
            self.close()
            raise

    @classmethod
    @contextmanager
    def reading(cls, root: Path) -> Generator[Self | None]:
        """The results in a folder, for reading beside whoever writes them; None where there are none."""
        found = cls._found(root)
        if found is None and former.there(root):
            cls(root).close()
            found = cls._found(root)
        try:
            yield found
        finally:
            if found:
                found.close()

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement; a change is kept at once, unless it is part of a transaction."""
        with _told(self.path):
            return self._connection.execute(statement, values).fetchall()

    def stream(self, statement: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement, one by one: together they may be more than the memory holds."""
        with _told(self.path):
            yield from self._connection.execute(statement, values)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All changes made within are kept together, or none."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # A full disk may have ended it already.
                self._connection.execute("ROLLBACK")
            raise

    def enter(self, header: Header) -> None:
        """Enter an experiment; one that is there keeps what was told of it first."""
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
    def _found(cls, root: Path) -> Self | None:
        """What is there for reading; tables that are not finished are not there."""
        _refuse_foreign(root / NAME, writing=False)
        if not (root / NAME).exists():
            return None
        found = cls.__new__(cls)
        found.path, found._lock = root / NAME, None
        found._connection = _connected(found.path, _read_only(root))
        try:
            if found._layout():
                _check_tables(found.path, found._connection, writing=False)
                return found
        except BaseException:
            found.close()
            raise
        found.close()
        return None

    def _begin(self, root: Path) -> None:
        self.execute("PRAGMA synchronous = NORMAL")
        if self._layout():
            _check_tables(self.path, self._connection, writing=True)
            self._check_pages()
            return
        self.execute("PRAGMA journal_mode = WAL")
        with self.transaction():
            self._make(former.results(root))

    def _make(self, had: Iterable[former.Result]) -> None:
        for statement in TABLES.split(";\n"):
            self.execute(statement)
        for result in had:
            self.enter(result.header)
            key = result.header.spec.key
            for row in result.rows:
                self.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", key, *row)
            for tree in result.trees:
                self.execute("INSERT OR REPLACE INTO trees VALUES (?, ?, ?)", key, *tree)
        self.execute(f"PRAGMA user_version = {LAYOUT}")

    def _layout(self) -> int:
        [[layout]] = self.execute("PRAGMA user_version")
        return int(layout)

    def _check_pages(self) -> None:
        """Find damage now rather than after hours."""
        [[found]] = self.execute("PRAGMA quick_check(1)")
        if found != "ok":
            raise StoreError(_worded(NEXT[sqlite3.SQLITE_CORRUPT], self.path, found))


def _connected(path: Path, how: str) -> sqlite3.Connection:
    with _told(path):
        name = f"file:{quote(str(path.absolute()))}?{how}"
        connection = sqlite3.connect(name, uri=True, isolation_level=None)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection


def _refuse_foreign(path: Path, *, writing: bool) -> None:
    """Raise where something else lies in the place of the database.

    It is looked at as it is on the disk, so that no file beside it is made or changed.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        require_regular(path.with_name(path.name + suffix), "write" if writing else "read")
    if path.exists():
        with closing(_connected(path, "mode=ro&immutable=1")) as connection:
            _check_tables(path, connection, writing=writing)


def _check_tables(path: Path, connection: sqlite3.Connection, *, writing: bool) -> None:
    """Raise unless the tables are those of this version, or not there yet."""
    with _told(path):
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
    """Beside a writer its log is read, too; where nobody can write there is none."""
    if os.access(root, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        return "mode=rw"
    return "mode=ro" if (root / f"{NAME}-wal").exists() else "mode=ro&immutable=1"


@contextmanager
def _told(path: Path) -> Generator[None]:
    """SQLite's errors as ours, with the next step."""
    try:
        yield
    except sqlite3.Error as e:
        code = getattr(e, "sqlite_errorcode", 0) & 0xFF
        raise StoreError(_worded(NEXT.get(code, OTHER), path, e)) from e
