"""How sure a model was of each token it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

FLOOR = -20.0
"""Stands for the log-probability of a token that a nucleus or a logits processor cut off."""


def confidence(logprobs: Sequence[float]) -> float:
    """The mean negative log-probability of the likeliest tokens (Fu et al., 2025, equation 2).

    Over the whole vocabulary it is the self-certainty of Kang et al. (2025) plus a constant.
    """
    return -fmean(max(x, FLOOR) for x in logprobs)


def confidences(positions: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """The confidence of each position that has log-probabilities."""
    return tuple(confidence(p) for p in positions if p)
