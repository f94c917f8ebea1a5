"""The straight line through accuracy over log compute: what a doubling buys."""

from __future__ import annotations

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimate
from reasoner.benchmarks.stats.cost_curve import CostCurve, halves
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.errors import ConfigError
from reasoner.schema import Frozen

ROUNDING = 1e-12
"""A spread of accuracies that is none."""


class LogLinear(Frozen):
    """The accuracy that each doubling of compute adds; `r2` is the share of its variance explained."""

    doubling: Estimate
    r2: float


def log_linear(curve: CostCurve) -> LogLinear:
    """The line fitted to mean accuracy over the logarithm of mean cost, by least squares.

    Accuracy rises so with inference compute in OpenAI's "Learning to reason with LLMs" (2024). It cannot
    for ever: where a curve levels off, `r2` is low, and the line is of sizes below that.

    Raises:
        ConfigError: there is one size only, and no line.
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
    """Each row's accuracy per doubling."""
    away = (costs - costs.mean(1, keepdims=True)) / np.log(2)
    return np.asarray((away * values).sum(1) / (away**2).sum(1), float)
