"""Coverage: whether `k` samples hold a right one, pass@k."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.pool import Pool, every


def pass_at_k(correct: Sequence[bool], k: int) -> float:
    """The chance that `k` samples hold a right one (Chen et al., 2021, unbiased)."""
    n, c = len(correct), sum(correct)
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def pass_at_ks(pool: Pool, ks: Sequence[int]) -> Floats:
    """pass@k of every problem for each of `ks`, of shape (problems, ks), unbiased.

    The mean over all subsets of `k` of the `n` samples: 1 - C(n-c, k) / C(n, k) with `c` right ones
    (Chen et al., 2021, arXiv 2107.03374, equation 1). The plug-in 1 - (1 - c/n)^k is biased downwards.
    """
    return every(pool, ks, _pass)


def missed(n: int, ks: Sequence[int]) -> Floats:
    """The share of subsets of `k` of `n` samples without any of `c` given ones: (ks, c = 0 to n).

    C(n-c, k) / C(n, k), as the product of the chances to miss one after the other.
    """
    size, given = np.asarray(ks, float)[:, None], np.arange(n)
    factors = np.maximum(n - given - size, 0) / (n - given)
    return np.asarray(np.hstack([np.ones_like(size), np.cumprod(factors, axis=1)]), float)


def _pass(pool: Pool, ks: Sequence[int]) -> Floats:
    by_right = 1 - missed(pool.correct.shape[1], ks).T
    return np.asarray(by_right[pool.correct.sum(1)], float)
