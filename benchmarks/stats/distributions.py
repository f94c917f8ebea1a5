"""The normal distribution and Student's, as far as intervals need them."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats

NORMAL = NormalDist()
Z95 = 1.959964


def student(freedom: int, z: float = Z95) -> float:
    """Student's quantile where the normal one is `z`, to 1e-3 from 4 degrees of freedom.

    Four terms of its expansion (Abramowitz and Stegun, 26.7.5).
    """
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / float(freedom) ** power for power, term in enumerate(terms))


def below(z: Floats) -> Floats:
    """The chance of less than each of `z`."""
    return np.array([NORMAL.cdf(float(v)) for v in z])


def quantile(chances: Floats) -> Floats:
    """The inverse of `below`."""
    return np.array([NORMAL.inv_cdf(float(p)) for p in chances])
