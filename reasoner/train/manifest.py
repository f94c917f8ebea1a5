"""A document beside every result: with which settings it is made, and in the end how it went."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

from reasoner.backends.checkpoint import fingerprint
from reasoner.documents import Malformed, read_json
from reasoner.errors import ConfigError, StoreError
from reasoner.files import clipped, opened, save_json, shown


def claim(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What `path` tells of the work with these settings; work that is new is entered there.

    Raises:
        ConfigError: `path` is of work with other settings.
        StoreError: it cannot be read or written.
    """
    wanted = json.loads(json.dumps(settings))
    if not os.path.lexists(path):
        save_json({"settings": wanted}, path)
    found = _read(path)
    had = found.get("settings", {})
    if changed := [name for name in wanted if had.get(name) != wanted[name]]:
        name = changed[0]
        there, asked = (clipped(repr(settings.get(name)), 40) for settings in (had, wanted))
        raise ConfigError(
            f"{shown(path)} is of work with {name} {there}, and {asked} is asked for; choose another"
            " --out"
        )
    return found


def told_apart(model: str, path: str) -> dict[str, str]:
    """A model's name, and where its weights lie in the folder `path`, what tells them from others."""
    weights = fingerprint(Path(path))
    return {"model": Path(model).name if weights else model, "weights": weights}


def digest(path: Path) -> str:
    """What tells the contents of a file from others.

    Raises:
        StoreError: it cannot be read.
    """
    with opened(path) as file:
        return file_digest(file, "sha256").hexdigest()[:12]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path, "delete it or choose another --out")
    except Malformed as e:
        message = f"cannot read {shown(path)}: {e}; delete it or choose another --out"
        raise StoreError(message) from e
    if not isinstance(found, dict) or not isinstance(found.get("settings", {}), dict):
        raise StoreError(f"{shown(path)} tells of no training; choose another --out")
    return found
