"""Results on disk: one SQLite file a folder, written by one process at a time, read by any number."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from reasoner.benchmarks import former
from reasoner.benchmarks.lock import locked
from reasoner.benchmarks.spec import Header
from reasoner.errors import StoreError

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

NEXT = {
    sqlite3.SQLITE_FULL: "cannot write {path}: the disk is full; free some space and run the same"
    " command again: what was finished is kept",
    sqlite3.SQLITE_CORRUPT: "{path} is corrupt ({error}); rescue what can be read with"
    " `sqlite3 {path} .recover`, or move it away and run again",
    sqlite3.SQLITE_BUSY: "{path} is in use by another program; wait for it or choose another --out",
}
NEXT[sqlite3.SQLITE_NOTADB] = NEXT[sqlite3.SQLITE_CORRUPT]
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
        if not (root / NAME).exists():
            return None
        found = cls.__new__(cls)
        found.path, found._lock = root / NAME, None
        found._connection = _connected(found.path, _read_only(root))
        try:
            if found._layout():
                found._check_layout()
                return found
        except BaseException:
            found.close()
            raise
        found.close()
        return None

    def _begin(self, root: Path) -> None:
        self.execute("PRAGMA synchronous = NORMAL")
        if self._layout():
            self._check_layout()
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

    def _check_layout(self) -> None:
        if (layout := self._layout()) != LAYOUT:
            raise StoreError(
                f"{self.path} has tables of version {layout}, this program those of {LAYOUT};"
                " choose another --out"
            )

    def _check_pages(self) -> None:
        """Find damage now rather than after hours."""
        [[found]] = self.execute("PRAGMA quick_check(1)")
        if found != "ok":
            error = " ".join(str(found).split())
            raise StoreError(NEXT[sqlite3.SQLITE_CORRUPT].format(path=self.path, error=error))


def _connected(path: Path, how: str) -> sqlite3.Connection:
    with _told(path):
        name = f"file:{quote(str(path.absolute()))}?{how}"
        return sqlite3.connect(name, uri=True, isolation_level=None)


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
        raise StoreError(NEXT.get(code, OTHER).format(path=path, error=e)) from e
