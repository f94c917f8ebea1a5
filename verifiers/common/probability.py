"""Probabilities from log-odds and logits, and back."""

from collections.abc import Sequence
from math import exp, log

FAR = -700.0
"""Log-odds below which `exp` of their negative overflows; the sigmoid is `exp` there to the last digit."""


def sigmoid(odds: float) -> float:
    """Return the probability with log-odds `odds`."""
    return 1 / (1 + exp(-odds)) if odds > FAR else exp(odds)


def log_odds(probability: float, edge: float = 1e-9) -> float:
    """Return the log-odds of a probability, which is first clipped to [edge, 1 - edge]."""
    p = min(max(probability, edge), 1 - edge)
    return log(p / (1 - p))


def softmax(logits: Sequence[float], label: int) -> float:
    """Return the probability of `label` among labels with these logits."""
    highest = max(logits)
    weights = [exp(x - highest) for x in logits]
    return weights[label] / sum(weights)
