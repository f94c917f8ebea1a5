"""Results on disk: one file of records per experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reasoner.benchmarks.kept import Kept, kept
from reasoner.benchmarks.spec import Header, Record, Spec
from reasoner.registry import called


class Store(Kept[Record]):
    """The results of one spec, opened for appending by one process at a time."""

    def __init__(self, root: Path, spec: Spec, environment: Mapping[str, Any] = {}) -> None:
        self.spec = spec
        header = Header(spec=spec, environment=dict(environment))
        super().__init__(store_path(root, spec), Record, header)

    def done(self) -> set[str]:
        """Problems that need no further attempt; failed ones get another."""
        return {row.problem for row in self if row.error is None}


def store_path(root: Path, spec: Spec) -> Path:
    """Where the results of `spec` live under `root`."""
    task, strategy = (called(name)[0] for name in (spec.task, spec.strategy))
    return root / f"{task}-{strategy}-{spec.key}.jsonl"


def read(root: Path, spec: Spec) -> list[Record]:
    """The latest record of every problem of `spec`, in their order; none if it was never run.

    Raises:
        StoreError: the file is corrupt.
    """
    return kept(store_path(root, spec), Record)
