"""The price of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reasoner.budget import VERIFIER
from reasoner.types import Usage


class TokenCounts(Protocol):
    """The tokens that a price is asked for."""

    @property
    def generated_tokens(self) -> float: ...
    @property
    def prompt_tokens_fresh(self) -> float: ...
    @property
    def prompt_tokens_cached(self) -> float: ...
    @property
    def verifier_tokens(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a million tokens, in any currency; cached prompt tokens cost as much as fresh ones by default."""

    prompt: float = 0.0
    generated: float = 0.0
    cached: float | None = None
    verifier: float = 0.0

    def of(self, spent: TokenCounts) -> float:
        """Return the price of a problem."""
        paid = self._generator(
            spent.prompt_tokens_fresh, spent.prompt_tokens_cached, spent.generated_tokens
        )
        return (paid + self.verifier * spent.verifier_tokens) / 1e6

    def of_usage(self, role: str, usage: Usage) -> float:
        """Return the price of calls of a role; the verifier's are those of a model of its own."""
        if role == VERIFIER:
            return self.verifier * (usage.fresh_tokens + usage.completion_tokens) / 1e6
        counts = usage.fresh_tokens, usage.cached_tokens, usage.completion_tokens
        return self._generator(*counts) / 1e6

    def _generator(self, fresh: float, cached: float, generated: float) -> float:
        price = self.prompt if self.cached is None else self.cached
        return self.prompt * fresh + price * cached + self.generated * generated
