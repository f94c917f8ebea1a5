"""Files with an entry for each session of a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import read_bytes, shown

E = TypeVar("E")


def read_sessions(kind: type[E], path: Path) -> list[E]:
    """Read the sessions in the file `path`; none if there is no file.

    Raises:
        StoreError: the file is corrupt.
    """
    if not os.path.lexists(path):
        return []
    try:
        return parse_model(list[kind], read_bytes(path))  # type: ignore[valid-type]
    except Malformed as e:
        raise StoreError(f"{shown(path)} is corrupt ({e}); delete it") from e
