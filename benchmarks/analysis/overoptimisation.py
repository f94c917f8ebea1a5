"""Over-optimisation: best-of-N gets worse as its score gets better, because the verifier errs.

Gao et al. (2022), *Scaling Laws for Reward Model Overoptimization*, arXiv 2210.10760.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import numpy as np

from reasoner.benchmarks.analysis.curves import decided
from reasoner.benchmarks.stats import best_score_at_k
from reasoner.benchmarks.stats.intervals import Estimate, mean
from reasoner.benchmarks.store.grid import BEST
from reasoner.benchmarks.store.records import Record
from reasoner.schema import Frozen


class OverOptimisation(Frozen):
    """Best-of-N at its largest size, `n`, beside `peak`, the best of the smaller sizes.

    `score` is the mean score of the chosen solution. `slope` is what each doubling of N from `peak` to
    `n` adds to the accuracy; its interval is that of the paired difference over problems. Choosing
    the best size to compare with does not make false alarms: with scores that say nothing, 3 % of
    simulated curves are told of.
    """

    peak: int
    n: int
    accuracy_at_peak: float
    accuracy: float
    score_at_peak: float
    score: float
    slope: Estimate

    @property
    def shows(self) -> bool:
        """True if the accuracy falls, beyond its error, while the score rises."""
        return self.slope.high < 0 and self.score > self.score_at_peak

    def __str__(self) -> str:
        points = self.slope.times(100)
        return (
            f"from n={self.peak} to n={self.n} the score of what best-of-N chooses rises from"
            f" {self.score_at_peak:.3f} to {self.score:.3f}, and its accuracy falls from"
            f" {self.accuracy_at_peak:.1%} to {self.accuracy:.1%} ({points.value:+.1f} points a"
            f" doubling, 95 % interval {points.low:+.1f} to {points.high:+.1f})"
        )


def over_optimisation(pool: Sequence[Record], ns: Sequence[int]) -> OverOptimisation | None:
    """Compare best-of-N on `pool` at its largest size and at smaller ones; None for a single size."""
    *smaller, n = sorted(set(ns))
    if not smaller or not pool:
        return None
    sizes = (*smaller, n)
    right = decided(pool, BEST, sizes)
    accuracy = right.mean(0)
    best = int(np.argmax(accuracy[:-1]))
    scores = [np.mean([chosen_score(r, k) for r in pool]) for k in (sizes[best], n)]
    return OverOptimisation(
        peak=sizes[best],
        n=n,
        accuracy_at_peak=float(accuracy[best]),
        accuracy=float(accuracy[-1]),
        score_at_peak=float(scores[0]),
        score=float(scores[1]),
        slope=mean(right[:, -1] - right[:, best]).times(1 / log2(n / sizes[best])),
    )


def chosen_score(record: Record, k: int) -> float:
    """The mean score of the best of `k`; a solution that never finished counts as scored 0."""
    scores = [s.score or 0.0 for s in record.samples]
    return best_score_at_k(scores, min(k, len(scores))) if scores else 0.0
