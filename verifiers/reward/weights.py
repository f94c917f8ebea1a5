"""What a reward model's files tell before anything computes with it."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

from reasoner.base import ModelInfo
from reasoner.errors import ConfigError


class Weights:
    """A model folder, or a Hugging Face name; `limit` shortens its context.

    Code that comes with weights is never run: the architectures that need some are written here.

    Raises:
        ConfigError: the folder is missing or holds no model.
    """

    def __init__(self, path: str, limit: int | None = None) -> None:
        self.path, self._limit = path, limit
        folder = Path(path).expanduser()
        if folder.is_dir():
            if not (folder / "config.json").exists():
                raise ConfigError(f"no reward model in {path!r}: it has no config.json")
            self.path = str(folder)
        elif path.startswith((".", "/", "~")) or path.count("/") != 1:
            raise ConfigError(
                f"no reward model folder {path!r}; give a folder or a Hugging Face name"
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

    @property
    def architecture(self) -> str:
        """The name of the class that the weights were saved from.

        Raises:
            ConfigError: the configuration does not tell.
        """
        if not self.config.architectures:
            raise ConfigError(f"the config.json of {self.path!r} names no architecture")
        return str(self.config.architectures[0])

    @cached_property
    def info(self) -> ModelInfo:
        """Name and size without heads; the limit given shortens the context."""
        import torch
        from transformers import AutoModel

        config, body = self.config, cast(Any, AutoModel)
        with torch.device("meta"):
            size = body.from_config(config).num_parameters()
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
                f"cannot load reward model {self.path!r}: {str(e).splitlines()[0]}"
            ) from e


@lru_cache(16)
def weights(path: str, limit: int | None = None) -> Weights:
    """The files at `path`, read once for all verifiers that use them."""
    return Weights(path, limit)
