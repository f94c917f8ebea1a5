"""The files of a reward model, read before it is loaded."""

from __future__ import annotations

from functools import lru_cache

from reasoner.errors import ConfigError
from reasoner.models.files import ModelFiles


class Weights(ModelFiles):
    """The files of a reward model, whose size excludes its head.

    Architectures that need code of their own are implemented in this package.
    """

    kind = "reward model"
    sized_by = "AutoModel"

    @property
    def architecture(self) -> str:
        """The name of the class of the saved weights.

        Raises:
            ConfigError: the configuration names none.
        """
        if not self.config.architectures:
            raise ConfigError(f"the config.json of {self.path!r} names no architecture")
        return str(self.config.architectures[0])


@lru_cache(16)
def weights(path: str, limit: int | None = None) -> Weights:
    """Return the files at `path`, read once for all verifiers that use them."""
    return Weights(path, limit)
