"""The bootstrap over problems: intervals of whatever can be computed from means over problems.

A problem is drawn with all its samples and seeds. Drawing those again as well would count their noise
twice: the spread between problems contains it already (Davison and Hinkley, 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.distributions import below, quantile, student
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.errors import ConfigError

DRAWS = 1000
CELLS = 2**21

Statistic = Callable[[Floats], Floats]
"""From means, of shape (rows, columns), to numbers, of shape (rows, numbers): row by row."""


def clustered(values: Floats) -> Floats:
    """One value per problem, its mean over seeds: (problems, seeds, ...) to (problems, ...)."""
    return np.asarray(values.mean(1), float)


def resampled(values: Floats, draws: int = DRAWS, seed: int = 0) -> Floats:
    """The means over as many problems drawn with replacement: (problems, ...) to (draws, ...).

    The same problems are drawn for all arrays of one length, so that what is made of their means is
    paired. Memory does not grow with problems times draws.
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
    """Each number that `statistic` makes of the means of `values`, (problems, columns).

    Without one, the means themselves. Intervals are 95 %, bias-corrected and accelerated (BCa: Efron,
    1987, with the jackknife's acceleration), because accuracies near 1, ratios and multipliers have
    skewed errors, and widened to Student's quantile and by n / (n-1), because the bootstrap's are too
    narrow by so much (Hesterberg, 2015, section 5.2).

    Raises:
        ConfigError: there are fewer than two problems to draw from.
    """
    if len(values) < 2:
        raise ConfigError(f"{len(values)} problem(s) say nothing of others; measure two or more")
    made: Statistic = statistic or (lambda means: means)
    point = made(values.mean(0, keepdims=True))[0]
    drawn = made(resampled(values, draws, seed))
    low, high = accelerated(point, drawn, made(left_out(values)))
    return [
        Estimate(value=float(p), low=float(a), high=float(b))
        for p, a, b in zip(point, low, high, strict=True)
    ]


def estimate(values: Floats, statistic: Statistic | None = None) -> Estimate:
    """The only number of `estimates`; `values` may be one per problem."""
    [found] = estimates(values.reshape(len(values), -1), statistic)
    return found


def left_out(values: Floats) -> Floats:
    """The means without each problem in turn: the jackknife."""
    return np.asarray((values.sum(0) - values) / (len(values) - 1), float)


def accelerated(point: Floats, drawn: Floats, jackknife: Floats) -> tuple[Floats, Floats]:
    """The ends of the 95 % BCa interval of each number: (numbers,) each.

    `drawn` are the numbers of every resample, those that are nan not counting, and `jackknife` those
    without each problem in turn.
    """
    known = np.maximum(1, (~np.isnan(drawn)).sum(0))
    under = ((drawn < point).sum(0) + (drawn == point).sum(0) / 2) / known
    bias = quantile(np.clip(under, 1 / len(drawn), 1 - 1 / len(drawn)))
    return _ends(drawn, len(jackknife), bias, _acceleration(jackknife))


def percentile(drawn: Floats, problems: int) -> tuple[Floats, Floats]:
    """The ends of the 95 % percentile interval of each number: (numbers,) each.

    For what jumps or is at times infinite, where there is no influence to correct by.
    """
    none = np.zeros(drawn.shape[1])
    return _ends(drawn, problems, none, none)


def _ends(drawn: Floats, problems: int, bias: Floats, skew: Floats) -> tuple[Floats, Floats]:
    ranked, known = np.sort(drawn, axis=0), (~np.isnan(drawn)).sum(0)
    reach = student(problems - 1) * np.sqrt(problems / (problems - 1))
    ends = list[Floats]()
    for z, rounded in ((-reach, np.floor), (reach, np.ceil)):
        chance = below(bias + (bias + z) / np.maximum(1 - skew * (bias + z), 0.1))
        place = np.maximum(rounded(chance * (known - 1)).astype(int), 0)
        ends.append(np.take_along_axis(ranked, place[None], 0)[0])
    return ends[0], ends[1]


def _acceleration(jackknife: Floats) -> Floats:
    """A sixth of the skewness of the influence of problems; 0 where it is not finite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pull = jackknife.mean(0) - jackknife
        found = (pull**3).sum(0) / (6 * (pull**2).sum(0) ** 1.5)
    return np.where(np.isfinite(found), found, 0.0)


@lru_cache(maxsize=4)
def _counts(problems: int, rows: int, seed: tuple[int, int]) -> Floats:
    """How often each problem is drawn, one row per draw."""
    drawn = np.random.default_rng(seed).integers(0, problems, (rows, problems))
    drawn += problems * np.arange(rows)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=rows * problems)
    return counts.reshape(rows, problems).astype(float)
