"""Aggregates: one score of a solution from the scores of its steps."""

from collections.abc import Callable, Sequence
from math import log, prod
from statistics import fmean

from reasoner.verifiers.common.probability import log_odds, sigmoid

Aggregate = Callable[[Sequence[float]], float]
CONFIDENT = log(2)
"""Log-odds at which `doubts` levels off: two to one.

The highest verdict among many candidates says little about which of them is right, and much about
where the verifier errs (Gao et al., 2022, arXiv 2210.10760). Without a limit, best-of-64 chose the
one wrong candidate that the verifier was surest of, and did worse than best-of-16.
"""


def doubts(scores: Sequence[float]) -> float:
    """Return the latest score, lowered in log-odds by every doubt about an earlier step.

    An error in a step stays an error, so that negative log-odds add up; positive ones do not. The
    result levels off at `CONFIDENT`: candidates without a doubtful step score alike.
    """
    *earlier, latest = map(log_odds, scores)
    return sigmoid(min(latest + sum(min(x, 0.0) for x in earlier), CONFIDENT))


def last(scores: Sequence[float]) -> float:
    """Return the score of the latest step."""
    return scores[-1]


AGGREGATES: dict[str, Aggregate] = {
    "doubts": doubts, "last": last, "min": min, "prod": prod, "mean": fmean,
}  # fmt: skip
