"""Names of models on this machine, in any form, and the folders that engines serve them from."""

from __future__ import annotations

import os
from pathlib import Path

from reasoner.errors import ConfigError
from reasoner.files import clipped
from reasoner.models import lora
from reasoner.models.gguf import PACKAGE, SUFFIX, converted, packaged
from reasoner.models.merged_adapter import merged
from reasoner.models.shipped import SHIPPED


def local_model(model: str) -> str:
    """Return the folder of a model that engines cannot serve as it is; any other model as it is.

    These are a GGUF file, `package:NAME` for the one that a package ships, a name in `shipped.SHIPPED`, and
    the folder of a LoRA adapter alone, which is merged into the model that it names as its base. The first
    call converts the weights, into a cache (`model_cache.cache_folder`).

    Raises:
        ConfigError: there is no such file or package, or its weights cannot be converted.
        StoreError: the cache cannot be written.
    """
    if model.startswith(PACKAGE):
        return str(converted(packaged(model.removeprefix(PACKAGE))))
    path = SHIPPED.get(model) or Path(os.path.expanduser(model))
    if path.suffix.lower() == SUFFIX and not path.is_dir():
        if not os.path.lexists(path):
            raise ConfigError(
                f"no GGUF file {clipped(model)!r}; give a file, a folder or a Hugging Face name"
            )
        return str(converted(path))
    return str(_adapted(path)) if is_adapter(path) else model


def is_adapter(folder: Path) -> bool:
    """Return True if a folder holds an adapter, and no model of its own."""
    return (folder / lora.CONFIG).is_file() and not os.path.lexists(folder / "config.json")


def _adapted(folder: Path) -> Path:
    """Return the folder of an adapter's base with the adapter merged.

    Raises:
        ConfigError: it names no base, or another adapter.
    """
    adapter = lora.Adapter(str(folder))
    if not adapter.base:
        raise ConfigError(
            f"the LoRA adapter in {clipped(str(folder))!r} names no base; give a model with"
            " --model and the adapter with --backend 'vllm(lora=DIR)'"
        )
    if is_adapter(Path(os.path.expanduser(adapter.base))):
        raise ConfigError(
            f"the base of the LoRA adapter in {clipped(str(folder))!r} is an adapter itself,"
            f" {clipped(adapter.base)!r}; merge that one first"
        )
    return merged(adapter, local_model(adapter.base))
