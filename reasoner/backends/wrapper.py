"""What stands around another backend, and can what that can."""

from __future__ import annotations

from abc import ABC, abstractmethod

from reasoner.base import Backend, Halt, ModelInfo, Spelling, Watching
from reasoner.types import Generation, Prompt, Sampling


class Wrapping(ABC):
    """Tells what `backend` tells; a subclass generates, and watches if `backend` can, in its own way."""

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
        """Tokens of `prompt`."""
        return self.backend.prompt_length(prompt)

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text that goes on from another."""
        return self.backend.encode(text)

    @abstractmethod
    async def _watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """`watch`, of a backend that has it."""
