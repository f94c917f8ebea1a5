"""The iso-accuracy compute multiplier: how many times less compute for the same accuracy."""

from __future__ import annotations

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import accelerated, left_out, percentile, resampled
from reasoner.benchmarks.stats.cost_curve import CostCurve, halves
from reasoner.benchmarks.stats.proportion import enough
from reasoner.errors import ConfigError
from reasoner.schema import Frozen

ROUNDING = 1e-12
"""Means of the same values may differ by this much."""


class Multiplier(Frozen):
    """The reference's compute over the strategy's where both reach `accuracy`.

    `value` is None where one of the two is not measured at that accuracy: it never reaches it, or its
    smallest size is already above it. `low` and `high` then still bound the multiplier: a strategy that
    never reaches it may do so beyond its largest size, so that 0 < multiplier < `high`, and one that
    starts above it may need any less than its smallest size, so that `high` is infinite. Both ends are
    open where the equivalent of fewer than 5 problems is unsolved, or solved, at `accuracy`.
    """

    accuracy: float
    value: float | None
    low: float
    high: float


def multiplier(
    strategy: CostCurve, reference: CostCurve, accuracy: float | None = None
) -> Multiplier:
    """Estimate how many times less compute `strategy` needs than `reference` for the same accuracy.

    The accuracy is `accuracy`, or what the reference's largest size attains in each resample. A cost is
    where a curve first reaches it, interpolated linearly over log compute; a later fall does not count.
    Problems are resampled for both curves together. The interval is computed on the log scale, and is
    BCa where every resample is measured at the accuracy. Otherwise it is a percentile interval, which
    covers more than 95 %, with an end that may be infinite or 0: BCa has no influence to correct by
    there, and missed 13 % of true values in simulation. Measure smaller or larger sizes then. At an
    accuracy with too few problems of one outcome (`proportion.enough`) either interval missed up to 21 %,
    so that none is claimed.

    Raises:
        ConfigError: the curves are not of the same problems.
    """
    if len(strategy.values) != len(reference.values):
        raise ConfigError("a multiplier needs both curves on the same problems")
    table = np.hstack([strategy.table, reference.table])
    split = strategy.table.shape[1]

    def bounds(means: Floats) -> Floats:
        """Return the least and the greatest log multiplier that the curves allow: (rows, 2)."""
        ours, theirs = halves(means[:, :split]), halves(means[:, split:])
        target = theirs[1][:, -1] if accuracy is None else np.full(len(means), accuracy)
        (least, most), (low, high) = reach(*ours, target), reach(*theirs, target)
        return np.stack([_less(low, most, -np.inf), _less(high, least, np.inf)], 1)

    point = bounds(table.mean(0, keepdims=True))[0]
    resamples, jackknife = bounds(resampled(table)), bounds(left_out(table))
    smooth = np.isfinite(resamples).all() and np.isfinite(jackknife).all()
    low, high = (
        accelerated(point, resamples, jackknife) if smooth else percentile(resamples, len(table))
    )
    goal = float(reference.values[:, -1].mean()) if accuracy is None else accuracy
    known = enough(goal, len(table))
    return Multiplier(
        accuracy=goal,
        value=float(np.exp(point[0])) if point[0] == point[1] else None,
        low=float(np.exp(low[0])) if known else 0.0,
        high=float(np.exp(high[1])) if known else np.inf,
    )


def _less(ours: Floats, theirs: Floats, unknown: float) -> Floats:
    """Return the difference of bounds; `unknown` where both are infinite."""
    known = np.isfinite(ours) | np.isfinite(theirs)
    return np.subtract(ours, theirs, out=np.full_like(ours, unknown), where=known)


def reach(costs: Floats, values: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Return the least and the greatest cost at which each row may first reach its target: (rows,) each.

    They differ where the target is outside the measured range: beyond the largest size the cost is up to
    infinity, and below the smallest down to minus infinity, as costs are logarithms.
    """
    best, rows = np.maximum.accumulate(values, axis=1), np.arange(len(values))
    first = (best < target[:, None] - ROUNDING).sum(1)
    here = np.clip(first, 1, values.shape[1] - 1)
    rise = best[rows, here] - best[rows, here - 1]
    share = np.divide(target - best[rows, here - 1], rise, out=np.zeros_like(rise), where=rise > 0)
    inside = costs[rows, here - 1] + share * (costs[rows, here] - costs[rows, here - 1])
    start, beyond = first == 0, first == values.shape[1]
    least = np.where(start, -np.inf, np.where(beyond, costs[:, -1], inside))
    most = np.where(start, costs[:, 0], np.where(beyond, np.inf, inside))
    return least, most
