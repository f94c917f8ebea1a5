"""The test of paired shares: as well as it is, could every difference have had the other sign?"""

from __future__ import annotations

from math import erfc, exp, log, pi, sqrt

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats

FEW = 16
"""Differences of which every choice of signs is counted."""
NEAR = 1e-3
"""Standard deviations within which the saddlepoint is 0 / 0, and the normal approximation exact enough."""


def sign_flips(gain: Floats) -> float:
    """The two-sided p-value of the sum of `gain` among those with all choices of signs (Fisher, 1935).

    Counted where few are not 0, else by a saddlepoint, close at any size (Lugannani and Rice, 1980;
    Robinson, 1982). Of right-or-wrong values the test is McNemar's.
    """
    sizes = np.abs(gain[gain != 0])
    if not len(sizes):
        return 1.0
    sizes, total = sizes / sizes.max(), abs(float(gain.sum())) / float(sizes.max())
    least = 2.0 ** (1 - len(sizes))
    if total > sizes.sum() - 1e-9:
        return least
    found = _counted(sizes, total) if len(sizes) <= FEW else _saddlepoint(sizes, total)
    return min(1.0, max(least, found))


def _counted(sizes: Floats, total: float) -> float:
    signs = 1 - 2 * (np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes)) & 1)
    return float((np.abs(signs @ sizes) >= total - 1e-9).mean())


def _saddlepoint(sizes: Floats, total: float) -> float:
    """Twice the chance of `total` or more: exponentially tilted until `total` is the mean."""
    at = _tilt(sizes, total)
    tanh = np.tanh(at * sizes)
    cumulant = float((np.logaddexp(at * sizes, -at * sizes) - log(2)).sum())
    root = sqrt(2 * max(0.0, at * total - cumulant))
    if root < NEAR:
        return erfc(total / sqrt(2 * float((sizes**2).sum())))
    spread = at * sqrt(float((sizes**2 * (1 - tanh**2)).sum()))
    density = exp(-(root**2) / 2) / sqrt(2 * pi)
    return erfc(root / sqrt(2)) + 2 * density * (1 / spread - 1 / root)


def _tilt(sizes: Floats, total: float) -> float:
    """Where the tilted mean is `total`: it rises from 0 to the sum of `sizes`."""
    low, high = 0.0, 1.0
    while float((sizes * np.tanh(high * sizes)).sum()) < total and high < 1e6:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        mean = float((sizes * np.tanh(middle * sizes)).sum())
        low, high = (middle, high) if mean < total else (low, middle)
    return high
