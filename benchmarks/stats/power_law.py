"""The scaling law of coverage: an exponentiated power law of the number of samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimates
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.stats.proportion import RARE, enough
from reasoner.errors import ConfigError
from reasoner.schema import Frozen


class PowerLaw(Frozen):
    """coverage(k) = exp(-a k^-b), fitted at `ks`; `r2` is the explained share of coverage's variance there."""

    a: Estimate
    b: Estimate
    r2: float
    ks: tuple[int, ...]

    def at(self, k: float) -> float:
        """Return coverage with `k` samples; beyond the measured ones it is an extrapolation."""
        return float(np.exp(-self.a.value * k**-self.b.value))


def power_law(values: Floats, ks: Sequence[int]) -> PowerLaw:
    """Fit the law to pass@k of every problem, of shape (problems, ks).

    Fit a straight line to log(-log coverage) over log k by least squares, so that ks spaced evenly on the
    log axis weigh alike (Brown et al., 2024, arXiv 2407.21787, section 3.1). As each problem's failure
    rate falls exponentially, the power law of the mean comes from hard problems: `b` is the exponent of
    the density of pass@1 near 0, p^(b-1) (Schaeffer et al., 2025, arXiv 2502.17578). It holds for large
    k only, and not where no problem is that hard. `ks` with the equivalent of fewer than `RARE` problems
    unsolved, or solved, are left out: -log coverage depends on those few, and intervals with them missed
    the truth half of the time where nearly all problems are solved.

    Raises:
        ConfigError: fewer than two of `ks` are left.
    """
    mean = values.mean(0)
    inside = np.array([enough(m, len(values)) for m in mean])
    if inside.sum() < 2:
        raise ConfigError(
            f"a power law needs two k or more with {RARE} problems solved and {RARE} unsolved;"
            f" on {len(values)} problems {inside.sum()} k qualify"
        )
    fitted_ks = [k for k, keep in zip(ks, inside, strict=True) if keep]
    logs = np.log(np.asarray(fitted_ks, float))
    log_a, falls = estimates(values[:, inside], lambda means: _line(means, logs))
    a = Estimate(value=np.exp(log_a.value), low=np.exp(log_a.low), high=np.exp(log_a.high))
    fitted = np.exp(-a.value * np.exp(-falls.value * logs))
    r2 = (
        1 - ((mean[inside] - fitted) ** 2).sum() / ((mean[inside] - mean[inside].mean()) ** 2).sum()
    )
    return PowerLaw(a=a, b=falls, r2=float(r2), ks=tuple(fitted_ks))


def _line(means: Floats, logs: Floats) -> Floats:
    """Return each row's log(a) and b, (rows, 2); nan where a resample's coverage is 0 or 1."""
    inside = np.where((means > 0) & (means < 1), means, np.nan)
    heights = np.log(-np.log(inside))
    away = logs - logs.mean()
    slope = heights @ away / (away @ away)
    return np.stack([heights.mean(1) - slope * logs.mean(), -slope], 1)
