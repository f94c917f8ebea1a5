"""A base class for backends that wrap another one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from reasoner.base import Backend, Halt, ModelInfo, Spelling, Watching
from reasoner.types import Generation, Prompt, Sampling


class Wrapping(ABC):
    """A wrapper with the abilities of `backend`; a subclass overrides generating and watching."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        if isinstance(backend, Watching):
            self.watch = self._watch
        if isinstance(backend, Spelling):
            self.decode = backend.decode

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

    @abstractmethod
    async def _watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Watch a sample; only called if `backend` can watch."""
