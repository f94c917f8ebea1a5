"""The law of coverage: it rises with samples as the exponential of a power law."""

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
    """coverage(k) = exp(-a k^-b), fitted at `ks`; `r2` is the share of coverage's variance explained there."""

    a: Estimate
    b: Estimate
    r2: float
    ks: tuple[int, ...]

    def at(self, k: float) -> float:
        """Coverage with `k` samples; beyond those measured, a guess."""
        return float(np.exp(-self.a.value * k**-self.b.value))


def power_law(values: Floats, ks: Sequence[int]) -> PowerLaw:
    """The law fitted to pass@k of every problem, of shape (problems, ks).

    A straight line through log(-log coverage) over log k by least squares, in which ks that lie evenly
    on the log axis weigh alike (Brown et al., 2024, arXiv 2407.21787, section 3.1). With each problem
    falling exponentially, a power law of the mean comes from hard problems: `b` is the exponent of the
    density of pass@1 near 0, which is p^(b-1) (Schaeffer et al., 2025, arXiv 2502.17578). It holds for
    large k only, and not where no problem is that hard. Left out are `ks` at which fewer than `RARE` problems'
    worth are unsolved, or solved: -log coverage hangs on those few, and intervals with them missed
    the truth half of the time where nearly all is solved.

    Raises:
        ConfigError: fewer than two of `ks` are left.
    """
    mean = values.mean(0)
    inside = np.array([enough(m, len(values)) for m in mean])
    if inside.sum() < 2:
        raise ConfigError(
            f"a power law needs two k or more at which {RARE} problems' worth are solved and as many not;"
            f" of {len(values)} problems, {inside.sum()} k have"
        )
    kept = [k for k, keep in zip(ks, inside, strict=True) if keep]
    logs = np.log(np.asarray(kept, float))
    log_a, falls = estimates(values[:, inside], lambda means: _line(means, logs))
    a = Estimate(value=np.exp(log_a.value), low=np.exp(log_a.low), high=np.exp(log_a.high))
    fitted = np.exp(-a.value * np.exp(-falls.value * logs))
    r2 = (
        1 - ((mean[inside] - fitted) ** 2).sum() / ((mean[inside] - mean[inside].mean()) ** 2).sum()
    )
    return PowerLaw(a=a, b=falls, r2=float(r2), ks=tuple(kept))


def _line(means: Floats, logs: Floats) -> Floats:
    """Each row's log(a) and b: (rows, 2); nan where a resample's coverage is 0 or 1."""
    inside = np.where((means > 0) & (means < 1), means, np.nan)
    heights = np.log(-np.log(inside))
    away = logs - logs.mean()
    slope = heights @ away / (away @ away)
    return np.stack([heights.mean(1) - slope * logs.mean(), -slope], 1)
