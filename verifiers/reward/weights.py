"""What a reward model's files tell before anything computes with it."""

from __future__ import annotations

from functools import lru_cache

from reasoner.errors import ConfigError
from reasoner.models.files import ModelFiles


class Weights(ModelFiles):
    """The files of a reward model, whose size is without its head.

    The architectures that need code of their own are written here.
    """

    kind = "reward model"
    sized_by = "AutoModel"

    @property
    def architecture(self) -> str:
        """The name of the class that the weights were saved from.

        Raises:
            ConfigError: the configuration does not tell.
        """
        if not self.config.architectures:
            raise ConfigError(f"the config.json of {self.path!r} names no architecture")
        return str(self.config.architectures[0])


@lru_cache(16)
def weights(path: str, limit: int | None = None) -> Weights:
    """The files at `path`, read once for all verifiers that use them."""
    return Weights(path, limit)
