"""The spending of a whole run, in its database: what an interrupted session spent counts in the next one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter

from reasoner.benchmarks.store.call_log import ENCODER, UNREADABLE
from reasoner.benchmarks.store.database import Database
from reasoner.errors import StoreError
from reasoner.files import shown
from reasoner.types import Usage

USAGE = TypeAdapter(Usage)
TABLE = "CREATE TABLE IF NOT EXISTS spending (role TEXT PRIMARY KEY, spent TEXT, held TEXT)"
"""A row for each role, with two usages as JSON: of its calls that ended, and the worst case of those in flight."""
EXISTS = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'spending'"
WORKED = "SELECT (SELECT count(*) FROM records) + (SELECT count(*) FROM calls)"


class Spending:
    """The table of a run's spending, open for writing.

    Raises:
        StoreError: the run has results whose cost was not entered.
    """

    def __init__(self, database: Database) -> None:
        if not is_counted(database) and database.execute(WORKED)[0][0]:
            raise StoreError(
                f"{shown(database.path)} has results of a run without a total budget, whose cost was not counted;"
                " choose another --out"
            )
        database.execute(TABLE)
        self._database = database

    def read(self) -> dict[str, Usage]:
        """Return the usage of each role; calls in flight when a session was killed cost their worst case."""
        return _usages(self._database)

    def save(self, role: str, spent: Usage, held: Usage) -> None:
        """Enter the usage of a role so far, and what its calls in flight may cost."""
        usages = ENCODER.encode(spent), ENCODER.encode(held)
        self._database.execute("INSERT OR REPLACE INTO spending VALUES (?, ?, ?)", role, *usages)


def is_counted(database: Database) -> bool:
    """Return True if the spending of the run is entered."""
    return bool(database.execute(EXISTS)[0][0])


def read_spending(root: Path) -> dict[str, Usage]:
    """Return the usage of each role of the run in a folder; nothing where it was not counted."""
    with Database.reading(root) as database:
        return _usages(database) if database and is_counted(database) else {}


def _usages(database: Database) -> dict[str, Usage]:
    rows = database.execute("SELECT role, spent, held FROM spending")
    return {role: _usage(database, spent) + _usage(database, held) for role, spent, held in rows}


def _usage(database: Database, blob: str) -> Usage:
    with suppress(*UNREADABLE):
        return USAGE.validate_json(blob)
    raise StoreError(f"{shown(database.path)} is corrupt: its spending; choose another --out")
