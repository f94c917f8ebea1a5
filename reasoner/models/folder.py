"""Checks of a model folder before a library parses it: file kinds, sizes and bounds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from reasoner.documents import Malformed, parse_json, parse_model
from reasoner.errors import ConfigError, StoreError
from reasoner.files import DOCUMENT, clipped, opened, read_bytes, require_regular, shown, size

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
TOKENIZER_BYTES = 128 * 2**20
"""Maximum bytes of a tokenizer; large vocabularies take tens of megabytes."""
MODULES = re.compile(r"layers?$|experts?$|blocks?$")
"""Setting names that count modules, each of which takes time and memory to build."""
MOST_MODULES = 4096
MOST = 2**40


class _Config(BaseModel, extra="allow"):
    """The types of common settings of a model's configuration."""

    architectures: list[str] | None = None
    model_type: str | None = None
    vocab_size: int | None = Field(default=None, ge=1)
    hidden_size: int | None = Field(default=None, ge=1)
    num_hidden_layers: int | None = Field(default=None, ge=1)
    num_attention_heads: int | None = Field(default=None, ge=1)
    max_position_embeddings: int | None = Field(default=None, ge=1)


def check_model_folder(folder: Path) -> None:
    """Raise unless the files in `folder` are safe for the libraries that load models.

    Raises:
        ConfigError: a file is special, too large, not JSON, or has an impossible setting.
    """
    try:
        for path in sorted(folder.iterdir()):
            if not path.is_dir():
                _check(path)
        _check_config(folder / CONFIG)
    except Malformed as e:
        raise ConfigError(f"{shown(folder / CONFIG)} is no model's configuration: {e}") from e
    except StoreError as e:
        raise ConfigError(str(e)) from e
    except OSError as e:
        raise ConfigError(f"cannot read {shown(folder)}: {e.strerror}") from e


def _check(path: Path) -> None:
    require_regular(path)
    if path.suffix == ".json":
        _check_size(path, TOKENIZER_BYTES if path.name == TOKENIZER else DOCUMENT)
    elif path.suffix == ".safetensors":
        check_weights_header(path)


def _check_size(path: Path, limit: int) -> None:
    if os.path.exists(path) and path.stat().st_size > limit:
        raise ConfigError(f"{shown(path)} is larger than {size(limit)}, the most for a model")


def check_weights_header(path: Path) -> None:
    """Raise if the header of a weights file is longer than the file, or than any model's.

    Raises:
        ConfigError: the file holds no weights.
        StoreError: it cannot be read.
    """
    with opened(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(DOCUMENT, os.fstat(file.fileno()).st_size - 8):
            raise ConfigError(f"{shown(path)} holds no weights: its header is {length} bytes long")
        if not isinstance(parse_json(file.read(length)), dict):
            raise ConfigError(f"{shown(path)} holds no weights: its header is not a JSON object")


def _check_config(path: Path) -> None:
    blob = read_bytes(path)
    parse_model(_Config, blob)
    for name, number in _numbers(parse_json(blob)):
        if abs(number) > (MOST_MODULES if MODULES.search(name) else MOST):
            raise Malformed(f"{clipped(name, 40)} is {number:.3g}, which no model has")


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """Yield each whole number in a document, with its name."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _numbers(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part, name)
    elif isinstance(value, int):
        yield name, value
