"""Estimates with intervals, and the percentile bootstrap of a ratio of sums over problems.

Problems are resampled, not samples, because the samples of one problem are correlated. New statistics
use `bootstrap.estimates`, whose BCa intervals are corrected for bias and skewness. The percentile
interval stays for the ratios of verifier measurements and of `fit-auto`, for two reasons: a denominator
may be 0 in a resample (no gap, no disagreement, no wrong step) or without one problem, where BCa's
jackknife has no influence to correct by; and the committed `diagnosis.json` and `fit.json` hold it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.schema import Frozen

RESAMPLES = 1000


class Estimate(Frozen):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f}"

    @property
    def interval(self) -> str:
        """The interval as tables show it."""
        return f"{self.low:.3f} to {self.high:.3f}"

    def times(self, factor: float) -> Estimate:
        """Return the number and its interval times a positive `factor`."""
        low, high = factor * self.low, factor * self.high
        return Estimate(value=factor * self.value, low=low, high=high)


@lru_cache(maxsize=4)
def resample_counts(problems: int) -> Floats:
    """Return how often each resample draws each problem, (resamples, problems), the same every time."""
    rng = np.random.default_rng(0)
    return rng.multinomial(problems, np.full(problems, 1 / problems), RESAMPLES).astype(float)


def percentile_estimate(value: float, resampled: Floats) -> Estimate:
    """Return `value` with the percentile interval of its resampled values, of which nan are ignored."""
    low, high = np.nanquantile(resampled, (0.025, 0.975))
    return Estimate(value=value, low=float(low), high=float(high))


def ratio(parts: Floats, wholes: Floats) -> Estimate | None:
    """Estimate the sum of `parts` over the sum of `wholes`, one of each per problem.

    The interval is a percentile one (see the module). None where the wholes sum to 0 or less.
    """
    if not len(wholes) or wholes.sum() <= 0:
        return None
    counts = resample_counts(len(wholes))
    value = float(parts.sum() / wholes.sum())
    return percentile_estimate(value, divide(counts @ parts, counts @ wholes))


def mean(values: Floats) -> Estimate:
    """Estimate the mean over problems, with a percentile interval as `ratio` has."""
    estimate = ratio(values, np.ones(len(values)))
    assert estimate is not None, "there is a problem"
    return estimate


def divide(parts: Floats, wholes: Floats) -> Floats:
    """Return `parts / wholes`, nan where the whole is 0 or less."""
    return np.divide(parts, wholes, out=np.full_like(parts, np.nan), where=wholes > 0)
