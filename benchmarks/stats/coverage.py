"""Coverage, pass@k: the probability that `k` samples contain a right one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.pool import Pool, every


def pass_at_ks(pool: Pool, ks: Sequence[int]) -> Floats:
    """Return the unbiased pass@k of every problem for each of `ks`, of shape (problems, ks).

    The mean over all subsets of `k` of the `n` samples: 1 - C(n-c, k) / C(n, k) with `c` right ones
    (Chen et al., 2021, arXiv 2107.03374, equation 1). The plug-in 1 - (1 - c/n)^k is biased downwards.
    """
    return every(pool, ks, _pass)


def missed(n: int, ks: Sequence[int]) -> Floats:
    """Return the share of subsets of `k` of `n` samples without any of `c` fixed ones: (ks, c = 0 to n).

    C(n-c, k) / C(n, k), as the product of the probabilities to miss one after the other.
    """
    size, earlier = np.asarray(ks, float)[:, None], np.arange(n)
    factors = np.maximum(n - earlier - size, 0) / (n - earlier)
    return np.asarray(np.hstack([np.ones_like(size), np.cumprod(factors, axis=1)]), float)


def _pass(pool: Pool, ks: Sequence[int]) -> Floats:
    by_right = 1 - missed(pool.correct.shape[1], ks).T
    return np.asarray(by_right[pool.correct.sum(1)], float)
