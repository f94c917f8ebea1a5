"""Two strategies on the same problems: their difference, its test, and what could have been seen."""

from __future__ import annotations

import math

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimate
from reasoner.benchmarks.stats.distributions import NORMAL
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.stats.proportion import wilson
from reasoner.benchmarks.stats.sign_test import sign_flips
from reasoner.errors import ConfigError
from reasoner.schema import Frozen


class Paired(Frozen):
    """One strategy less another on `problems`; `won` and `lost` are those where they differ.

    `p` is that of McNemar's test, `exact`, where every value is right or wrong; of shares it is that of
    `sign_flips`. `detectable` is the smallest true difference that as many such problems show at the 5 %
    level four times in five; where none differs, such problems are as many as could well have been missed.
    """

    problems: int
    difference: Estimate
    won: int
    lost: int
    p: float
    exact: bool
    detectable: float


def paired(values: Floats, reference: Floats) -> Paired:
    """How `values` differ from `reference`, one of each per problem."""
    gain = _same(values, reference)
    binary = np.isin(values, (0.0, 1.0)).all() and np.isin(reference, (0.0, 1.0)).all()
    won, lost, problems = int((gain > 0).sum()), int((gain < 0).sum()), len(gain)
    error = float(gain.std(ddof=1)) / math.sqrt(problems)
    return Paired(
        problems=problems,
        difference=difference(values, reference),
        won=won,
        lost=lost,
        p=mcnemar(won, lost) if binary else sign_flips(gain),
        exact=bool(binary),
        detectable=detectable(error) if error else planned(problems, wilson(0, problems)[1]),
    )


def difference(values: Floats, reference: Floats) -> Estimate:
    """The mean difference over problems with its BCa interval.

    Where no problem differs the bootstrap has nothing to draw: the interval then holds what Wilson's
    does for none of so many.
    """
    gain = _same(values, reference)
    if not gain.any():
        unseen = wilson(0, len(gain))[1]
        return Estimate(value=0.0, low=-unseen, high=unseen)
    return estimate(gain)


def mcnemar(won: int, lost: int) -> float:
    """The exact two-sided p-value that problems that differ go either way alike (McNemar, 1947).

    A binomial test of `won` in `won + lost` at one half.
    """
    total = won + lost
    term, tail = 1, 0
    for i in range(min(won, lost) + 1):
        tail += term
        term = term * (total - i) // (i + 1)
    return min(1.0, 2 * tail / (1 << total))


def detectable(error: float, power: float = 0.8, level: float = 0.05) -> float:
    """The smallest true difference found with a chance of `power`, given its standard error.

    (z(1 - level/2) + z(power)) standard errors (Miller, 2024, arXiv 2411.00640, section 5).
    """
    return error * (NORMAL.inv_cdf(1 - level / 2) + NORMAL.inv_cdf(power))


def planned(problems: int, differing: float) -> float:
    """`detectable` before measuring: with right-or-wrong values of which a share differ."""
    return detectable(math.sqrt(differing / problems))


def _same(values: Floats, reference: Floats) -> Floats:
    if values.shape != reference.shape or values.ndim != 1:
        raise ConfigError(
            f"pairs need one value per problem from both, not {values.shape} and {reference.shape}"
        )
    return np.asarray(values - reference, float)
