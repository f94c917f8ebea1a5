"""Quantiles of the normal distribution and of Student's t, from scipy."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from reasoner.benchmarks.stats.arrays import Floats

# scipy.special has these functions without the second of CPU that importing scipy.stats takes.

Z95 = 1.959964
"""The normal distribution's 97.5 % quantile, to the six digits that committed results use."""


def student_quantile(freedom: int, z: float = Z95) -> float:
    """Return the quantile of Student's t with `freedom` degrees of freedom where the normal one is `z`."""
    return float(stdtrit(freedom, ndtr(z)))


def normal_cdf(z: Floats) -> Floats:
    """Return the standard normal distribution function at each of `z`."""
    return np.asarray(ndtr(z), float)


def normal_quantile(probabilities: Floats) -> Floats:
    """Return the standard normal quantile of each probability: the inverse of `normal_cdf`."""
    return np.asarray(ndtri(probabilities), float)
