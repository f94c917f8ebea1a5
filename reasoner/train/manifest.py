"""The manifest beside every result: its settings, and finally its measurements."""

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
    """Return the manifest at `path`; write it with these settings if there is none.

    Raises:
        ConfigError: the manifest has other settings.
        StoreError: it cannot be read or written.
    """
    requested = json.loads(json.dumps(settings))
    if not os.path.lexists(path):
        save_json({"settings": requested}, path)
    manifest = _read(path)
    stored = manifest.get("settings", {})
    if changed := [name for name in requested if stored.get(name) != requested[name]]:
        name = changed[0]
        old, new = (clipped(repr(settings.get(name)), 40) for settings in (stored, requested))
        raise ConfigError(
            f"{shown(path)} has results for {name} {old}, but {new} is requested; choose another"
            " --out"
        )
    return manifest


def identity(model: str, path: str) -> dict[str, str]:
    """Return a model's name, and the fingerprint of its weights if they are in the folder `path`."""
    weights = fingerprint(Path(path))
    return {"model": Path(model).name if weights else model, "weights": weights}


def digest(path: Path) -> str:
    """Return a digest of a file's content.

    Raises:
        StoreError: the file cannot be read.
    """
    with opened(path) as file:
        return file_digest(file, "sha256").hexdigest()[:12]


def _read(path: Path) -> dict[str, Any]:
    try:
        manifest = read_json(path, "delete it or choose another --out")
    except Malformed as e:
        message = f"cannot read {shown(path)}: {e}; delete it or choose another --out"
        raise StoreError(message) from e
    if not isinstance(manifest, dict) or not isinstance(manifest.get("settings", {}), dict):
        raise StoreError(f"{shown(path)} is no manifest of a training; choose another --out")
    return manifest
