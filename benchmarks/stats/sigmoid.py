"""The sigmoid of accuracy over log training compute, and its forecast of what was not yet trained."""

from __future__ import annotations

from itertools import product

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimates
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.errors import ConfigError
from reasoner.schema import Frozen

FEWEST = 3
"""Trained checkpoints that determine a sigmoid: it has three parameters."""
MARGIN = np.log(10)
"""The distance from the measured computes within which the midpoint is sought."""
STEEPNESS = np.geomspace(0.25, 4, 25)
MIDPOINTS = 61


class Sigmoid(Frozen):
    """accuracy(C) = start + (ceiling - start) / (1 + (midpoint / C)^steepness), C in FLOPs of training.

    `start` is the accuracy before training; `r2` is the explained share of the variance.
    """

    start: float
    ceiling: Estimate
    midpoint: Estimate
    steepness: Estimate
    r2: float


class Forecast(Frozen):
    """Accuracy at one training compute: measured, and `predicted` from less compute alone."""

    train_flops: float
    predicted: Estimate
    measured: Estimate


def sigmoid(costs: Floats, start: Floats, values: Floats) -> Sigmoid:
    """Fit the curve of Khatri et al. (ScaleRL, 2025, arXiv 2510.13786, equation 1) by least squares.

    `costs` are the training computes of the checkpoints, (checkpoints,), rising from above 0; `start`, (problems,), and
    `values`, (problems, checkpoints), the accuracy on each problem before and after training. Midpoint
    and steepness are sought on a grid, a tenth of a decade and a ninth of a doubling apart; the ceiling
    is the best one for them, at most 1. Where the curve does not yet bend, the data determine the
    ceiling badly, and its interval is wide.

    Raises:
        ConfigError: there are fewer than three checkpoints, or two problems.
    """
    table, grid = np.column_stack([start, values]), _Grid(costs)
    ceiling, log_midpoint, steepness = estimates(table, grid.parameters)
    mean = table.mean(0)
    left = mean[1:] - grid.at(mean[None], costs)[0]
    spread = float(((mean[1:] - mean[1:].mean()) ** 2).sum())
    return Sigmoid(
        start=float(mean[0]),
        ceiling=ceiling,
        midpoint=Estimate(
            value=np.exp(log_midpoint.value),
            low=np.exp(log_midpoint.low),
            high=np.exp(log_midpoint.high),
        ),
        steepness=steepness,
        r2=1 - float((left**2).sum()) / spread if spread else 1.0,
    )


def forecasts(costs: Floats, start: Floats, values: Floats) -> list[Forecast]:
    """Predict the last third of the checkpoints from the first two; none where these are fewer than three.

    The arguments are those of `sigmoid`. Intervals are over problems; those of a prediction do not
    contain the chance that the curve is no sigmoid.
    """
    fitted = len(costs) - max(1, len(costs) // 3)
    if fitted < FEWEST:
        return []
    grid, later = _Grid(costs[:fitted]), costs[fitted:]
    table = np.column_stack([start, values[:, :fitted]])
    predicted = estimates(table, lambda means: grid.at(means, later))
    measured = estimates(values[:, fitted:])
    return [
        Forecast(train_flops=float(cost), predicted=p, measured=m)
        for cost, p, m in zip(later, predicted, measured, strict=True)
    ]


class _Grid:
    """Every pair of a midpoint and a steepness, and the share of the gain that each has at `costs`."""

    def __init__(self, costs: Floats) -> None:
        if len(costs) < FEWEST:
            raise ConfigError(f"a sigmoid needs {FEWEST} trained checkpoints or more")
        logs = np.log(costs)
        midpoints = np.linspace(logs[0] - MARGIN, logs[-1] + MARGIN, MIDPOINTS)
        self._pairs = np.array(list(product(midpoints, STEEPNESS)))
        self._shares = self._gained(self._pairs, logs)

    def parameters(self, means: Floats) -> Floats:
        """Return ceiling, log midpoint and steepness of each row of means: (rows, 3)."""
        start, rise = means[:, :1], means[:, 1:] - means[:, :1]
        both, squares = rise @ self._shares.T, (self._shares**2).sum(1)
        gains = np.clip(both / squares, 0, 1 - start)
        # The sum of squared errors of each pair, less that of the rise itself.
        best = (squares * gains**2 - 2 * gains * both).argmin(1)
        gain = gains[np.arange(len(means)), best]
        return np.column_stack([start[:, 0] + gain, self._pairs[best]])

    def at(self, means: Floats, costs: Floats) -> Floats:
        """Return the fitted accuracy at `costs` of each row of means: (rows, costs)."""
        ceiling, *_ = fit = self.parameters(means).T
        shares = self._gained(fit[1:].T, np.log(costs))
        start = means[:, :1]
        return np.asarray(start + (ceiling[:, None] - start) * shares, float)

    @staticmethod
    def _gained(pairs: Floats, logs: Floats) -> Floats:
        """Return the share of the gain for each pair at each log compute: (pairs, computes)."""
        midpoints, steepness = pairs[:, :1], pairs[:, 1:]
        return np.asarray(1 / (1 + np.exp(steepness * (midpoints - logs))), float)
