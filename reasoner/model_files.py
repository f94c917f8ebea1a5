"""A model on disk, or under a name: what can be read of it before anything computes with it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from reasoner.base import ModelInfo
from reasoner.errors import ConfigError
from reasoner.model_sizes import active_parameters, attention

VALUE = ("<|value:good|>", "<|value:bad|>")
"""The tokens whose log-odds are a model's value head; it never says them (see `train.value_head`)."""


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
        folder = Path(path).expanduser()
        if folder.is_dir():
            if not (folder / "config.json").exists():
                raise ConfigError(f"no {self.kind} in {path!r}: it has no config.json")
            self.path = str(folder)
        elif path.startswith((".", "/", "~")) or path.count("/") != 1:
            raise ConfigError(
                f"no {self.kind} folder {path!r}; give a folder or a Hugging Face name"
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
        """Name and sizes of the part that reads and writes text; the limit given shortens the context.

        Raises:
            ConfigError: the architecture is none that Transformers can build.
        """
        config = self.config.get_text_config()
        longest = config.max_position_embeddings
        context = min(longest, self._limit or longest)
        parameters = active_parameters(self._shapes(config), config)
        return ModelInfo(Path(self.path).name, context, parameters, attention(config))

    def _shapes(self, config: Any) -> Any:
        """The model without its weights: tensors of the right shapes and no data."""
        import torch
        import transformers

        try:
            with torch.device("meta"):
                return getattr(transformers, self.sized_by).from_config(config)
        except ValueError as e:
            raise ConfigError(
                f"Transformers has no {self.sized_by} of {config.model_type!r}, the architecture of"
                f" {self.path!r}; choose another model"
            ) from e

    def _load(self, auto: Any) -> Any:
        try:
            return auto.from_pretrained(self.path, trust_remote_code=False)
        except (OSError, ValueError) as e:
            raise ConfigError(
                f"cannot load {self.kind} {self.path!r}: {str(e).splitlines()[0]}"
            ) from e
