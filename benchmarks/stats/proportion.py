"""Wilson's interval: of a proportion, and of a mean of shares that differ between problems."""

from __future__ import annotations

from math import sqrt

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.distributions import Z95, student
from reasoner.benchmarks.stats.intervals import Estimate

RARE = 5
"""Problems of an outcome below which their spread is not believed."""


def enough(mean: float, problems: int) -> bool:
    """Whether so many problems tell a mean of shares: not if fewer than `RARE`'s worth have one outcome.

    Resamples of problems then hold too few of it, and intervals made of them leave out the truth.
    """
    return problems * min(mean, 1 - mean) >= RARE


def wilson(right: float, total: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (1927)."""
    p, z2 = right / total, z**2 / total
    middle = (p + z2 / 2) / (1 + z2)
    half = z * sqrt(p * (1 - p) / total + z2 / (4 * total)) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)


def share(values: Floats) -> Estimate:
    """The mean of one share in [0, 1] per problem, with Wilson's interval at its effective size.

    That is the number of yes-or-no problems whose mean would have the same variance: p(1-p) over the
    squared standard error (Korn and Graubard, 1998, with Student's quantile; Dean and Pagano, 2015, find
    Wilson's to cover best of those). With fewer than `RARE` problems' worth of either outcome the variance
    seen says little, and the interval is that of as many yes-or-no problems: no variance is larger.
    """
    problems, mean = len(values), float(values.mean())
    size, z = float(problems), Z95
    if enough(mean, problems) and not np.isin(values, (0.0, 1.0)).all():
        error2 = float(values.var(ddof=1)) / problems
        size, z = mean * (1 - mean) / max(error2, 1e-15), student(problems - 1)
    low, high = wilson(mean * size, size, z)
    return Estimate(value=mean, low=min(low, mean), high=max(high, mean))


def shares(values: Floats) -> list[Estimate]:
    """`share` of each column of `values`, of shape (problems, columns)."""
    return [share(column) for column in values.T]
