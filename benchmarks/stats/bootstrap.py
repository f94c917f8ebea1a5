"""The BCa bootstrap over problems: intervals of any function of means over problems.

A problem is resampled with all its samples and seeds. Resampling those as well would count their noise
twice: the spread between problems contains it already (Davison and Hinkley, 1997, section 3.8).
scipy.stats.bootstrap has BCa intervals too, but without the correction for few problems, and it
resamples every statistic by itself where these share their resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.distributions import (
    normal_cdf,
    normal_quantile,
    student_quantile,
)
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.errors import ConfigError

DRAWS = 1000
CELLS = 2**21

Statistic = Callable[[Floats], Floats]
"""A function of means, (rows, columns), to numbers, (rows, numbers), one row at a time."""


def clustered(values: Floats) -> Floats:
    """Return each problem's mean over seeds: (problems, seeds, ...) to (problems, ...)."""
    return np.asarray(values.mean(1), float)


def resampled(values: Floats, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Return the means over problems resampled with replacement: (problems, ...) to (draws, ...).

    Arrays of equal length get the same resamples, so that statistics of their means are paired. Memory
    does not grow with problems times draws.
    """
    problems = len(values)
    table = values.reshape(problems, -1)
    step = max(1, CELLS // problems)
    parts = (min(step, draws - first) for first in range(0, draws, step))
    sums = [_counts(problems, rows, (seed, i)) @ table for i, rows in enumerate(parts)]
    means = np.concatenate(sums) / problems
    return means.reshape(draws, *values.shape[1:])


def estimates(
    values: Floats, statistic: Statistic | None = None, draws: int = DRAWS, seed: int = 0
) -> list[Estimate]:
    """Estimate each number of `statistic` of the means of `values`, (problems, columns).

    Without a statistic, the means themselves. Intervals are 95 %, bias-corrected and accelerated (BCa:
    Efron, 1987, with the jackknife's acceleration), because accuracies near 1, ratios and multipliers
    have skewed errors. They are widened to Student's quantile and by n / (n-1), by which the bootstrap's
    are too narrow (Hesterberg, 2015, section 5.2).

    Raises:
        ConfigError: there are fewer than two problems.
    """
    if len(values) < 2:
        raise ConfigError(
            f"an interval needs two problems or more, not {len(values)}; measure more"
        )
    compute: Statistic = statistic or (lambda means: means)
    point = compute(values.mean(0, keepdims=True))[0]
    low, high = accelerated(
        point, compute(resampled(values, draws, seed)), compute(left_out(values))
    )
    return [
        Estimate(value=float(p), low=float(a), high=float(b))
        for p, a, b in zip(point, low, high, strict=True)
    ]


def estimate(values: Floats, statistic: Statistic | None = None) -> Estimate:
    """Return the only number of `estimates`; `values` may be one per problem."""
    [number] = estimates(values.reshape(len(values), -1), statistic)
    return number


def left_out(values: Floats) -> Floats:
    """Return the means without each problem in turn, (problems, columns): the jackknife."""
    return np.asarray((values.sum(0) - values) / (len(values) - 1), float)


def accelerated(point: Floats, resamples: Floats, jackknife: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % BCa interval of each number, (numbers,) each.

    `resamples` are the numbers of every resample, (resamples, numbers), of which nan are ignored, and
    `jackknife` those without each problem in turn, (problems, numbers).
    """
    known = np.maximum(1, (~np.isnan(resamples)).sum(0))
    under = ((resamples < point).sum(0) + (resamples == point).sum(0) / 2) / known
    bias = normal_quantile(np.clip(under, 1 / len(resamples), 1 - 1 / len(resamples)))
    return _ends(resamples, len(jackknife), bias, _acceleration(jackknife))


def percentile(resamples: Floats, problems: int) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % percentile interval of each number, (numbers,) each.

    For numbers that jump or may be infinite, where there is no influence to correct by.
    """
    none = np.zeros(resamples.shape[1])
    return _ends(resamples, problems, none, none)


def _ends(resamples: Floats, problems: int, bias: Floats, skew: Floats) -> tuple[Floats, Floats]:
    ranked, known = np.sort(resamples, axis=0), (~np.isnan(resamples)).sum(0)
    reach = student_quantile(problems - 1) * np.sqrt(problems / (problems - 1))
    ends = list[Floats]()
    for z, rounded in ((-reach, np.floor), (reach, np.ceil)):
        chance = normal_cdf(bias + (bias + z) / np.maximum(1 - skew * (bias + z), 0.1))
        place = np.maximum(rounded(chance * (known - 1)).astype(int), 0)
        ends.append(np.take_along_axis(ranked, place[None], 0)[0])
    return ends[0], ends[1]


def _acceleration(jackknife: Floats) -> Floats:
    """Return a sixth of the skewness of the problems' influence; 0 where it is not finite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pull = jackknife.mean(0) - jackknife
        skew = (pull**3).sum(0) / (6 * (pull**2).sum(0) ** 1.5)
    return np.where(np.isfinite(skew), skew, 0.0)


@lru_cache(maxsize=4)
def _counts(problems: int, rows: int, seed: tuple[int, int]) -> Floats:
    """Return how often each resample draws each problem: (rows, problems)."""
    places = np.random.default_rng(seed).integers(0, problems, (rows, problems))
    places += problems * np.arange(rows)[:, None]
    counts = np.bincount(places.ravel(), minlength=rows * problems)
    return counts.reshape(rows, problems).astype(float)
