"""Probabilities of label tokens, which an engine may write into other tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, inf, log

from reasoner.backends.verdict_tokens import Ending


class LabelTokens:
    """The tokens to request for a set of labels, and the labels' log-probabilities from theirs.

    A server that writes verdicts (see `verdict_logits.Levels`) never samples a token whose odds are a
    verdict; the token's probability is then its share of the levels' probabilities.
    """

    def __init__(self, tokens: Sequence[int], endings: Sequence[Ending]) -> None:
        self._shares = [shares(token, endings) for token in tokens]

    @property
    def tokens(self) -> list[int]:
        """The distinct tokens whose log-probabilities are needed."""
        return list(dict.fromkeys(token for each in self._shares for token in each))

    def label_logprobs(self, logprobs: Sequence[float]) -> tuple[float, ...]:
        """Return the labels' log-probabilities, from those of `tokens`."""
        known = dict(zip(self.tokens, logprobs, strict=True))
        return tuple(_total(each, known) for each in self._shares)


def shares(token: int, endings: Sequence[Ending]) -> dict[int, float]:
    """Return the tokens that carry a token's probability, each with the share that belongs to it."""
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
