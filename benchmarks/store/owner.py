"""Whose results a folder holds: the grid of one command must not take the place of another's."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel

from reasoner.benchmarks.store.database import Database
from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import read_bytes, shown

GRID = "grid.json"
BENCH, IMPORT, RERANK, FIT, EVAL = "bench", "import-pool", "rerank", "fit-auto", "eval-verifier"
REPLAY = "replay"
SHARED = {BENCH: {EVAL}, EVAL: {BENCH}}
"""Commands that may add to the results of others: a verifier is measured on the pool of a benchmark."""


class _Mark(BaseModel, extra="ignore"):
    """The part of a grid that names its command."""

    command: str = BENCH
    model: str = ""


def refuse_others(out: Path, command: str) -> None:
    """Raise unless `command` may write to the folder `out`; nothing is changed there.

    Raises:
        StoreError: it holds the results of another command, or its grid cannot be read.
    """
    if os.path.lexists(out) and not os.path.isdir(out):
        raise StoreError(f"{shown(out)} is not a folder; choose another --out")
    if others := owners(out) - {command} - SHARED.get(command, set()):
        raise StoreError(
            f"{shown(out)} holds results of `reasoner {min(others)}`, which `reasoner {command}` would"
            " spoil; choose another --out"
        )


def owners(out: Path) -> set[str]:
    """The commands whose results `out` holds.

    Raises:
        StoreError: the grid or the database cannot be read.
    """
    return {name for name in (_grid_owner(out), EVAL if _evaluated(out) else "") if name}


def _grid_owner(out: Path) -> str:
    path = out / GRID
    if not os.path.lexists(path):
        return ""
    try:
        mark = parse_model(_Mark, read_bytes(path, hint="choose another --out"))
    except Malformed as e:
        raise StoreError(f"{shown(path)} is no grid ({e}); choose another --out") from e
    # Grids of imported pools once had no command.
    return IMPORT if (mark.command, mark.model) == (BENCH, "recorded") else mark.command


def _evaluated(out: Path) -> bool:
    """Return True if a verifier was measured there, which leaves no grid."""
    with Database.reading(out) as database:
        if database is None:
            return False
        ask = "SELECT count(*) FROM specs WHERE label GLOB '* judged*' OR label GLOB '* drawn *'"
        return bool(database.execute(ask)[0][0])
