"""A model on disk, or under a name: what can be read of it before anything computes with it."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from reasoner.base import ModelInfo
from reasoner.errors import ConfigError
from reasoner.naming import shown

VALUE = ("<|value:good|>", "<|value:bad|>")
"""The tokens whose log-odds are a model's value head; it never says them (see `train.value_head`)."""


NAME = re.compile(r"\w[\w.-]{0,95}/[\w.-]{1,96}", re.ASCII)
"""A model on the Hugging Face hub."""


class ModelFiles:
    """A model folder, or a Hugging Face name; `limit` shortens its context.

    Code that comes with weights is never run.

    Raises:
        ConfigError: the folder is missing or holds no model.
    """

    kind: ClassVar[str] = "model"
    """What errors call it."""
    sized_by: ClassVar[str] = "AutoModelForCausalLM"
    """The Transformers class whose parameters are counted."""

    def __init__(self, path: str, limit: int | None = None) -> None:
        self.path, self._limit = path, limit
        if folder := _folder(path):
            if problem := _unreadable(folder / "config.json"):
                raise ConfigError(f"no {self.kind} in {path!r}: {problem}")
            self.path = str(folder)
        elif not NAME.fullmatch(path):
            raise ConfigError(
                f"no {self.kind} folder {shown(path)}; give a folder or a Hugging Face name"
            )

    @cached_property
    def tokenizer(self) -> Any:
        """The model's Hugging Face tokenizer."""
        from transformers import AutoTokenizer

        return self._load(AutoTokenizer)

    @cached_property
    def config(self) -> Any:
        """The model's Hugging Face configuration."""
        from transformers import AutoConfig

        return self._load(AutoConfig)

    @cached_property
    def info(self) -> ModelInfo:
        """Name and size; the limit given shortens the context."""
        import torch
        import transformers

        config = self.config
        with torch.device("meta"):
            size = getattr(transformers, self.sized_by).from_config(config).num_parameters()
        longest = config.max_position_embeddings
        context = min(longest, self._limit or longest)
        return ModelInfo(
            Path(self.path).name, context, size, config.num_hidden_layers, config.hidden_size
        )

    def _load(self, auto: Any) -> Any:
        try:
            return auto.from_pretrained(self.path, trust_remote_code=False)
        except (OSError, ValueError) as e:
            raise ConfigError(
                f"cannot load {self.kind} {self.path!r}: {str(e).splitlines()[0]}"
            ) from e


def _folder(path: str) -> Path | None:
    """The folder of that name, if there is one and it can be looked at."""
    try:
        folder = Path(path).expanduser()
        return folder if path and folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # Too long a name, a NUL, or nobody's home.
        return None


def _unreadable(config: Path) -> str:
    """What is wrong with the file that describes a model; empty where it is one."""
    if not config.exists():
        return "it has no config.json"
    try:
        described = json.loads(config.read_bytes()) if config.is_file() else None
    except (OSError, ValueError, RecursionError) as e:
        return f"its config.json cannot be read ({e})"
    return "" if isinstance(described, dict) else "its config.json describes no model"
