"""The gap between majority and coverage, and what share of it a strategy closes."""

from __future__ import annotations

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimate
from reasoner.benchmarks.stats.intervals import Estimate


def gap_closed(values: Floats, majority: Floats, coverage: Floats) -> Estimate | None:
    """(accuracy - majority) / (coverage - majority) of means over problems, one of each per problem.

    1 chooses a right sample wherever there is one, 0 does no better than a vote, and less than 0
    worse. A ratio of means, not a mean of ratios: problems without a gap are no trouble. None where
    there is no gap; the BCa interval is wide where it is small.
    """
    if (coverage - majority).sum() <= 0:
        return None
    return estimate(np.column_stack([values - majority, coverage - majority]), _share)


def _share(means: Floats) -> Floats:
    closed, gap = means[:, :1], means[:, 1:]
    return np.divide(closed, gap, out=np.full_like(closed, np.nan), where=gap > 0)
