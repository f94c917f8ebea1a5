"""From a reward model's raw outputs to probabilities."""

from collections.abc import Sequence
from math import exp


def sigmoid(logit: float) -> float:
    """The probability with these log-odds."""
    return 1 / (1 + exp(-logit)) if logit >= 0 else exp(logit) / (1 + exp(logit))


def softmax(logits: Sequence[float], label: int) -> float:
    """The probability of `label` among labels with these logits."""
    highest = max(logits)
    weights = [exp(x - highest) for x in logits]
    return weights[label] / sum(weights)
