"""The results of one experiment: a record a problem."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import Header, Record, Spec
from reasoner.benchmarks.store.store import Kept, kept


class Store(Kept[Record]):
    """The results of one spec, opened by the process that writes them."""

    def __init__(self, database: Database, spec: Spec, environment: Mapping[str, Any] = {}) -> None:
        super().__init__(database, Record, Header(spec=spec, environment=dict(environment)))

    def done(self) -> set[str]:
        """Problems that need no further attempt; failed ones get another."""
        return {row.problem for row in self if row.error is None}


def read(root: Path, spec: Spec) -> list[Record]:
    """The record of every problem of `spec`, in their order; none if it was never run.

    Raises:
        StoreError: the database cannot be read, or is corrupt.
    """
    return kept(root, spec, Record)
