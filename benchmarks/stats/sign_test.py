"""The paired randomisation (sign-flip) test of differences between shares."""

from __future__ import annotations

from math import erfc, exp, log, pi, sqrt

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats

FEW = 16
"""Up to this many differences, all choices of signs are enumerated."""
NEAR = 1e-3
"""Standard deviations within which the saddlepoint is 0 / 0 and the normal approximation is exact enough."""


def sign_flips(gain: Floats) -> float:
    """Return the two-sided p-value of the sum of `gain` under all choices of signs (Fisher, 1935).

    Enumerated where few differences are not 0, else by a saddlepoint approximation, which is close at any
    size (Lugannani and Rice, 1980; Robinson, 1982). On right-or-wrong values the test is McNemar's.
    scipy.stats.permutation_test samples signs instead, and so cannot resolve small p-values.
    """
    sizes = np.abs(gain[gain != 0])
    if not len(sizes):
        return 1.0
    sizes, total = sizes / sizes.max(), abs(float(gain.sum())) / float(sizes.max())
    least = 2.0 ** (1 - len(sizes))
    if total > sizes.sum() - 1e-9:
        return least
    p = _enumerated(sizes, total) if len(sizes) <= FEW else _saddlepoint(sizes, total)
    return min(1.0, max(least, p))


def _enumerated(sizes: Floats, total: float) -> float:
    signs = 1 - 2 * (np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes)) & 1)
    return float((np.abs(signs @ sizes) >= total - 1e-9).mean())


def _saddlepoint(sizes: Floats, total: float) -> float:
    """Return twice the probability of `total` or more, exponentially tilted until `total` is the mean."""
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
    """Return the tilt at which the mean, which rises from 0 to the sum of `sizes`, is `total`."""
    low, high = 0.0, 1.0
    while float((sizes * np.tanh(high * sizes)).sum()) < total and high < 1e6:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        mean = float((sizes * np.tanh(middle * sizes)).sum())
        low, high = (middle, high) if mean < total else (low, middle)
    return high
