"""How probable label tokens are, where an engine may write them in other tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, inf, log

from reasoner.backends.verdict_tokens import Ending


class Labels:
    """The tokens to ask an engine for, and what their log-probabilities make of each label.

    A token whose odds are a verdict is never sampled itself where a server writes verdicts (see
    `levels`): its probability is its share of a level's.
    """

    def __init__(self, tokens: Sequence[int], endings: Sequence[Ending]) -> None:
        self._shares = [shares(token, endings) for token in tokens]

    @property
    def asked(self) -> list[int]:
        """Every token whose log-probability is needed, once."""
        return list(dict.fromkeys(token for each in self._shares for token in each))

    def told(self, logprobs: Sequence[float]) -> tuple[float, ...]:
        """The labels' log-probabilities, from those of `asked`."""
        known = dict(zip(self.asked, logprobs, strict=True))
        return tuple(_total(each, known) for each in self._shares)


def shares(token: int, endings: Sequence[Ending]) -> dict[int, float]:
    """The tokens that have a token's probability, and how much of each one's is its own."""
    for ending in endings:
        levels = ending.verdicts()
        if token == ending.good:
            return levels
        if token == ending.bad:
            return {level: 1 - verdict for level, verdict in levels.items()}
    return {token: 1.0}


def _total(shares: Mapping[int, float], logprobs: Mapping[int, float]) -> float:
    probability = sum(share * exp(logprobs[token]) for token, share in shares.items())
    return log(probability) if probability else -inf
