"""The straight line through accuracy over log compute: the gain of each doubling."""

from __future__ import annotations

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimate
from reasoner.benchmarks.stats.cost_curve import CostCurve, halves
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.errors import ConfigError
from reasoner.schema import Frozen

ROUNDING = 1e-12
"""A sum of squares of accuracies below this is rounding error."""


class LogLinear(Frozen):
    """The accuracy that each doubling of compute adds; `r2` is the explained share of its variance."""

    doubling: Estimate
    r2: float


def log_linear(curve: CostCurve) -> LogLinear:
    """Fit a line to mean accuracy over the logarithm of mean cost, by least squares.

    Accuracy rises like this with inference compute in OpenAI's "Learning to reason with LLMs" (2024), up
    to some size: where a curve levels off, `r2` is low, and the line describes the smaller sizes.

    Raises:
        ConfigError: the curve has fewer than two sizes.
    """
    if curve.values.shape[1] < 2:
        raise ConfigError("a line needs two sizes or more")
    costs, values = halves(curve.table.mean(0, keepdims=True))
    slope = float(_slope(costs, values)[0])
    left = values - values.mean() - slope * (costs - costs.mean()) / np.log(2)
    spread = float(((values - values.mean()) ** 2).sum())
    return LogLinear(
        doubling=estimate(curve.table, lambda means: _slope(*halves(means))[:, None]),
        r2=1 - float((left**2).sum()) / spread if spread > ROUNDING else 1.0,
    )


def _slope(costs: Floats, values: Floats) -> Floats:
    """Return each row's accuracy per doubling."""
    away = (costs - costs.mean(1, keepdims=True)) / np.log(2)
    return np.asarray((away * values).sum(1) / (away**2).sum(1), float)
