"""A base class for backends that wrap another one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from reasoner.base import (
    Backend,
    Halt,
    ModelInfo,
    as_spelling,
    as_watching,
    check_labels,
)
from reasoner.recognition import recognise
from reasoner.traits import BackendTraits, backend_traits
from reasoner.types import Generation, Prompt, Sampling


class Wrapping(ABC):
    """A wrapper with the abilities of `backend`; a subclass overrides generating and watching."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    @property
    def traits(self) -> BackendTraits:
        """The traits of `backend`."""
        return backend_traits(self.backend)

    @property
    def model(self) -> ModelInfo:
        """The model's name and size."""
        return self.backend.model

    def prompt_length(self, prompt: Prompt) -> int:
        """Return the number of tokens of `prompt`."""
        return self.backend.prompt_length(prompt)

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text that continues another."""
        return self.backend.encode(text)

    def check_labels(self, labels: tuple[str, ...]) -> None:
        """Refuse labels that `backend` is known not to have."""
        check_labels(self.backend, labels)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens.

        Raises:
            ConfigError: `backend` cannot.
        """
        return as_spelling(self.backend).decode(ids)

    async def recognise(self) -> None:
        """Look up what the model of `backend` can do."""
        await recognise(self.backend)

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Draw one sample, aborted as soon as `halt` returns true.

        Raises:
            ConfigError: `backend` cannot.
        """
        as_watching(self.backend)
        return await self._watch(prompt, sampling, halt)

    @abstractmethod
    async def _watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Watch a sample; only called if `backend` can watch."""
