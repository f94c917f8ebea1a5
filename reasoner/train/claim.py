"""A document beside every result: with which settings it is made, and in the end how it went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

from reasoner.backends.checkpoint import fingerprint
from reasoner.benchmarks.summary import save_json
from reasoner.errors import ConfigError, StoreError


def claim(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What `path` tells of the work with these settings; work that is new is entered there.

    Raises:
        ConfigError: `path` is of work with other settings.
        StoreError: it cannot be read or written.
    """
    wanted = json.loads(json.dumps(settings))
    if not path.exists():
        _folder(path.parent)
        save_json({"settings": wanted}, path)
    found = _read(path)
    had = found.get("settings", {})
    if changed := [name for name in wanted if had.get(name) != wanted[name]]:
        name = changed[0]
        raise ConfigError(
            f"{path} is of work with {name} {had.get(name)!r}, and {wanted[name]!r} is asked for;"
            " choose another --out"
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
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()[:12]
    except OSError as e:
        raise StoreError(f"cannot read {path}: {e.strerror}") from e


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e.strerror}") from e


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise StoreError(f"cannot read {path}: {e}; delete it or choose another --out") from e
    return found if isinstance(found, dict) else {}
