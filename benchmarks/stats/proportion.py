"""Wilson's interval of a proportion, and of a mean of per-problem shares."""

from __future__ import annotations

from math import sqrt

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.distributions import Z95, student_quantile
from reasoner.benchmarks.stats.intervals import Estimate

RARE = 5
"""With fewer problems of one outcome than this, their variance is not trusted."""


def enough(mean: float, problems: int) -> bool:
    """Return whether a mean of shares has the equivalent of at least `RARE` problems of each outcome.

    With fewer, resamples contain too few of that outcome, and their intervals miss the truth.
    """
    return problems * min(mean, 1 - mean) >= RARE


def wilson(right: float, total: float, z: float = Z95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (1927).

    scipy.stats has it for whole numbers only, and `share` needs effective sizes, which are not.
    """
    p, z2 = right / total, z**2 / total
    middle = (p + z2 / 2) / (1 + z2)
    half = z * sqrt(p * (1 - p) / total + z2 / (4 * total)) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)


def share(values: Floats) -> Estimate:
    """Estimate the mean of one share in [0, 1] per problem, with Wilson's interval at its effective size.

    That is the number of yes-or-no problems whose mean would have the same variance: p(1-p) over the
    squared standard error (Korn and Graubard, 1998, with Student's quantile; Dean and Pagano, 2015, find
    that Wilson's covers best of those). With the equivalent of fewer than `RARE` problems of one outcome
    the observed variance is unreliable, and the interval is that of as many yes-or-no problems, which
    have the largest variance.
    """
    problems, mean = len(values), float(values.mean())
    size, z = float(problems), Z95
    if enough(mean, problems) and not np.isin(values, (0.0, 1.0)).all():
        error2 = float(values.var(ddof=1)) / problems
        size, z = mean * (1 - mean) / max(error2, 1e-15), student_quantile(problems - 1)
    low, high = wilson(mean * size, size, z)
    return Estimate(value=mean, low=min(low, mean), high=max(high, mean))


def shares(values: Floats) -> list[Estimate]:
    """Return the `share` of each column of `values`, (problems, columns)."""
    return [share(column) for column in values.T]
