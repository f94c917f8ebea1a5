"""A run's database, as anybody may open it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from reasoner.benchmarks.store.database import NAME


def sql(root: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement on the database in `root`."""
    with closing(sqlite3.connect(root / NAME)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def finished(root: Path) -> int:
    """Return how many problems have a record, while the run goes on."""
    if not (root / NAME).exists():
        return 0
    try:
        return int(sql(root, "SELECT count(*) FROM records")[0][0])
    except sqlite3.OperationalError:  # The tables are not made yet.
        return 0


METRICS = {"pass@k", "majority@k", "best-of-n@k", "weighted@k", "majority-of-the-bests@k"}
"""The metrics of a pool with scores of 0 or more."""
