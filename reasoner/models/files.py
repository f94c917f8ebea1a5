"""Model files, on disk or on the hub: tokenizer, configuration and size, without weights."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from reasoner.base import ModelInfo
from reasoner.errors import ConfigError
from reasoner.extras import require
from reasoner.files import clipped
from reasoner.models.folder import check_model_folder
from reasoner.models.local import local_model
from reasoner.models.shipped import SHIPPED
from reasoner.models.sizes import active_parameters, attention

NAME = re.compile(r"\w[\w.-]{0,95}/[\w.-]{1,96}", re.ASCII)
"""The pattern of a model name on the Hugging Face hub."""


class ModelFiles:
    """The files of a model folder, GGUF file, `package:NAME` or Hugging Face name.

    `limit` shortens its context. Code shipped with weights is never run. GGUF weights and adapters are
    converted to a folder by the first use (see `models.local`).

    Raises:
        MissingPackage: Transformers is not installed.
        ConfigError: the folder is missing or holds no model, or weights cannot be converted.
    """

    kind: ClassVar[str] = "model"
    """The noun for it in error messages."""
    sized_by: ClassVar[str] = "AutoModelForCausalLM"
    """The Transformers class whose parameters are counted."""

    def __init__(self, path: str, limit: int | None = None) -> None:
        require("transformers", user=f"a {self.kind} in this process")
        path = local_model(path)
        self.path, self._limit = path, limit
        folder = Path(os.path.expanduser(path))
        if os.path.isdir(folder):
            if not os.path.lexists(folder / "config.json"):
                raise ConfigError(f"no {self.kind} in {clipped(path)!r}: it has no config.json")
            check_model_folder(folder)
            self.path = str(folder)
        elif not NAME.fullmatch(path):
            raise ConfigError(
                f"no {self.kind} folder {clipped(path)!r}; give a folder or a Hugging Face name{_alike(path)}"
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
        """Name and sizes of the text part of the model; `limit` shortens the context.

        Raises:
            ConfigError: Transformers cannot build the architecture.
        """
        try:
            return self._measure(self.config.get_text_config())
        except Exception as e:  # A configuration may be impossible to build.
            reason = clipped(str(e).partition("\n")[0] or type(e).__name__)
            raise ConfigError(f"cannot build {self.kind} {clipped(self.path)!r}: {reason}") from e

    def _measure(self, config: Any) -> ModelInfo:
        longest = config.max_position_embeddings
        context = min(longest, self._limit or longest)
        parameters = active_parameters(self._shapes(config), config)
        return ModelInfo(Path(self.path).name, context, parameters, attention(config))

    def _shapes(self, config: Any) -> Any:
        """Build the model without weights: tensors with shapes and no data."""
        import torch
        import transformers

        with torch.device("meta"):
            return getattr(transformers, self.sized_by).from_config(config)

    def _load(self, auto: Any) -> Any:
        try:
            return auto.from_pretrained(self.path, trust_remote_code=False)
        except Exception as e:  # Libraries raise any error on untrusted files.
            reason = clipped(str(e).partition("\n")[0] or type(e).__name__)
            raise ConfigError(f"cannot load {self.kind} {clipped(self.path)!r}: {reason}") from e


def _alike(name: str) -> str:
    """Return the shipped model whose name is nearly `name`, as the end of a message."""
    alike = get_close_matches(name[:100], SHIPPED, n=1)
    return f", or did you mean {alike[0]!r}?" if alike else ""
