"""Numbers with their intervals, by resampling problems: the samples of one problem are no strangers."""

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
        """As a table shows it."""
        return f"{self.low:.3f} to {self.high:.3f}"

    def times(self, factor: float) -> Estimate:
        """The number and its interval, times a positive `factor`."""
        low, high = factor * self.low, factor * self.high
        return Estimate(value=factor * self.value, low=low, high=high)


@lru_cache(maxsize=4)
def resamples(problems: int) -> Floats:
    """How often each problem is drawn, one row per resample; the same for every estimate."""
    rng = np.random.default_rng(0)
    return rng.multinomial(problems, np.full(problems, 1 / problems), RESAMPLES).astype(float)


def estimated(value: float, draws: Floats) -> Estimate:
    """`value` with the percentile interval of its resampled `draws`; those that are nan count not."""
    low, high = np.nanquantile(draws, (0.025, 0.975))
    return Estimate(value=value, low=float(low), high=float(high))


def ratio(parts: Floats, wholes: Floats) -> Estimate | None:
    """The sum of `parts` over that of `wholes`, one of each per problem; None over nothing."""
    if not len(wholes) or wholes.sum() <= 0:
        return None
    counts = resamples(len(wholes))
    return estimated(float(parts.sum() / wholes.sum()), divided(counts @ parts, counts @ wholes))


def mean(values: Floats) -> Estimate:
    """The mean over problems."""
    found = ratio(values, np.ones(len(values)))
    assert found is not None, "there is a problem"
    return found


def divided(parts: Floats, wholes: Floats) -> Floats:
    """`parts / wholes`, nan over nothing."""
    return np.divide(parts, wholes, out=np.full_like(parts, np.nan), where=wholes > 0)
