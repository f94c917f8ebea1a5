"""A model on a ledger: every call is admitted before it starts and charged when it ends."""

from __future__ import annotations

from typing import Self

from reasoner.base import Backend, Halt, as_watching
from reasoner.budget import GENERATOR, Ledger, clip
from reasoner.telemetry import annotate, request_attributes
from reasoner.thinking_tokens import count_thinking
from reasoner.types import Generation, Prompt, Sampling, Usage


class Metered:
    """One backend on one ledger, charged to `role`."""

    def __init__(self, backend: Backend, ledger: Ledger, role: str = GENERATOR) -> None:
        self.backend, self.ledger, self.role = backend, ledger, role
        self.info = backend.model

    def on(self, ledger: Ledger) -> Self:
        """Return the same model on another ledger."""
        return type(self)(self.backend, ledger, self.role)

    def length(self, prompt: Prompt) -> int:
        """Return the number of tokens of `prompt`."""
        return self.backend.prompt_length(prompt)

    async def sample(
        self,
        prompt: Prompt,
        length: int,
        wanted: Sampling,
        *,
        role: str | None = None,
        halt: Halt | None = None,
    ) -> Generation:
        """Sample as many and as long completions as the budget admits.

        `length` is the prompt's, in tokens. `role` is charged in place of the model's own. `halt` watches
        the one sample of a request.

        Raises:
            BudgetExhausted: the budget admits none.
            BackendError: the model could not answer.
            ConfigError: the backend cannot be watched.
        """
        fit = clip(wanted, length, self.info)
        failed = Usage(1, length, 0, 0, self.info.flops(0, length))
        async with self.ledger.reserve(role or self.role, fit, failed) as hold:
            annotate(lambda: request_attributes(self.info.name, hold.granted))
            if halt is None:
                generation = await self.backend.generate(prompt, hold.granted)
            else:
                generation = await as_watching(self.backend).watch(prompt, hold.granted, halt)
            generation = count_thinking(generation, prompt, self.backend)
            hold.usage = generation.usage
        return generation
