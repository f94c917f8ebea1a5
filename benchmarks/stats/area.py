"""The area under a curve of accuracy against log compute."""

from __future__ import annotations

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimate
from reasoner.benchmarks.stats.cost_curve import CostCurve, halves
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.errors import ConfigError


def area(curve: CostCurve) -> Estimate:
    """Estimate the mean accuracy over log compute, from the smallest size to the largest.

    The trapezoidal rule over the logarithm of mean cost, divided by its range: 1 is right at every size.
    Curves over different ranges of cost are not comparable.

    Raises:
        ConfigError: the curve has fewer than two sizes.
    """
    if curve.values.shape[1] < 2:
        raise ConfigError("an area needs two sizes or more")
    return estimate(curve.table, _area)


def _area(means: Floats) -> Floats:
    costs, values = halves(means)
    widths = np.diff(costs)
    heights = (values[:, 1:] + values[:, :-1]) / 2
    return np.asarray(
        (widths * heights).sum(1, keepdims=True) / widths.sum(1, keepdims=True), float
    )
