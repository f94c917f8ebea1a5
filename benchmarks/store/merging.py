"""Runs of one grid on different problems, brought together as one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.owner import GRID, refuse_others
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError, StoreError
from reasoner.files import clipped, shown

COPIES = {
    "SELECT * FROM specs": "INSERT OR IGNORE INTO specs VALUES (?, ?, ?, ?, ?)",
    "SELECT * FROM records": (
        "INSERT INTO records VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, problem) DO UPDATE SET"
        " place = excluded.place, error = excluded.error, record = excluded.record"
        " WHERE records.error IS NOT NULL AND excluded.error IS NULL"
    ),
    "SELECT trees.* FROM trees JOIN records USING (key, problem) WHERE error IS NULL": (
        "INSERT OR IGNORE INTO trees VALUES (?, ?, ?)"
    ),
}
"""Rows of one run, and the statement that adds each to another: a record without an error wins over one with."""


def merge(folders: Sequence[Path], out: Path) -> Grid:
    """Add the results in `folders` to those in `out`, and return their common grid.

    Calls of unfinished attempts are left out: these attempts begin anew.

    Raises:
        ConfigError: the runs have different grids, or `out` is one of them.
        StoreError: a folder has no run, or `out` cannot be written.
    """
    grids = {folder: Grid.load(folder) for folder in folders}
    if out.resolve() in {folder.resolve() for folder in folders}:
        raise ConfigError(f"--out {shown(out)} is one of the runs; choose another folder")
    first, grid = next(iter(grids.items()))
    for folder, other in grids.items():
        _refuse_difference(first, grid, folder, other)
    refuse_others(out, grid.command)
    if (out / GRID).exists():
        _refuse_difference(first, grid, out, Grid.load(out))
    with Database(out) as target:
        for folder in folders:
            _copy(folder, target)
        grid.save(out)
    return grid


def _copy(folder: Path, target: Database) -> None:
    with Database.reading(folder) as source, target.transaction():
        if source is None:
            raise StoreError(f"{shown(folder)} has no results; run its shard first")
        for rows, adding in COPIES.items():
            for row in source.stream(rows):
                target.execute(adding, *row)


def _refuse_difference(first: Path, grid: Grid, folder: Path, other: Grid) -> None:
    for name in Grid.model_fields:
        one, two = getattr(grid, name), getattr(other, name)
        if one != two:
            raise ConfigError(
                f"{shown(folder)} is another run than {shown(first)}: its {name} is {clipped(repr(two), 60)},"
                f" not {clipped(repr(one), 60)}; merge the shards of one run"
            )


def missing(run: RunFolder) -> int:
    """Return the number of attempts of a run that have no record."""
    grid = run.grid
    return sum(grid.attempted(spec.strategy) - len(run.records(spec)) for spec in grid.specs())
