"""Paired comparison of two strategies on the same problems: difference, test and power."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import betainc

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimate
from reasoner.benchmarks.stats.distributions import normal_quantile
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.stats.proportion import wilson
from reasoner.benchmarks.stats.sign_test import sign_flips
from reasoner.errors import ConfigError
from reasoner.schema import Frozen


class Paired(Frozen):
    """One strategy minus another on `problems`; `won` and `lost` count those where they differ.

    `p` is from McNemar's exact test where every value is right or wrong (`exact`), else from
    `sign_flips`. `detectable` is the smallest true difference that as many such problems show at the 5 %
    level with a power of 80 %. Where no problem differs, it assumes the largest share of differing problems
    that is compatible with none (Wilson).
    """

    problems: int
    difference: Estimate
    won: int
    lost: int
    p: float
    exact: bool
    detectable: float


def paired(values: Floats, reference: Floats) -> Paired:
    """Compare `values` with `reference`, one of each per problem.

    Raises:
        ConfigError: the two are not of the same problems.
    """
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
    """Estimate the mean difference over problems, with its BCa interval.

    Where no problem differs, resamples do not vary; the interval's ends are then Wilson's upper bound for
    none of as many, either way.
    """
    gain = _same(values, reference)
    if not gain.any():
        unseen = wilson(0, len(gain))[1]
        return Estimate(value=0.0, low=-unseen, high=unseen)
    return estimate(gain)


def mcnemar(won: int, lost: int) -> float:
    """Return the exact two-sided p-value of McNemar's test (1947).

    A binomial test of `won` in `won + lost` at one half, as scipy.stats.binomtest has it; its tail is a
    regularised incomplete beta function, which needs no import of scipy.stats.
    """
    fewer, total = min(won, lost), won + lost
    return min(1.0, 2 * float(betainc(total - fewer, fewer + 1, 0.5))) if total else 1.0


def detectable(error: float, power: float = 0.8, level: float = 0.05) -> float:
    """Return the smallest true difference detected with probability `power`, given its standard error.

    (z(1 - level/2) + z(power)) standard errors (Miller, 2024, arXiv 2411.00640, section 5).
    """
    return error * float(normal_quantile(np.array([1 - level / 2, power])).sum())


def planned(problems: int, differing: float) -> float:
    """Return `detectable` before measuring: for right-or-wrong values of which a share `differing` differ."""
    return detectable(math.sqrt(differing / problems))


def _same(values: Floats, reference: Floats) -> Floats:
    if values.shape != reference.shape or values.ndim != 1:
        raise ConfigError(
            f"pairs need one value per problem from both, not {values.shape} and {reference.shape}"
        )
    return np.asarray(values - reference, float)
