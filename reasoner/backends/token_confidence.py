"""Confidence and entropy of each sampled token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log
from statistics import fmean

FLOOR = -20.0
"""The log-probability of a token cut off by top-p or a logits processor."""


def confidence(logprobs: Sequence[float]) -> float:
    """Return the mean negative log-probability of the likeliest tokens (Fu et al., 2025, equation 2).

    Over the whole vocabulary it is the self-certainty of Kang et al. (2025) plus a constant.
    """
    return -fmean(max(x, FLOOR) for x in logprobs)


def entropy(logprobs: Sequence[float]) -> float:
    """Return the entropy of the likeliest tokens, in nats, with probabilities scaled to sum to 1."""
    shares = [exp(x) for x in logprobs]
    total = sum(shares)
    return max(0.0, -sum(s / total * log(s / total) for s in shares if s)) if total else 0.0


def confidences(positions: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """Return the confidence of each position that has log-probabilities."""
    return tuple(confidence(p) for p in positions if p)


def entropies(positions: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """Return the entropy of each position that has log-probabilities."""
    return tuple(entropy(p) for p in positions if p)
