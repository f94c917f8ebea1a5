"""Best-of-N@k: the probability that the best-scored of `k` samples is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.coverage import missed
from reasoner.benchmarks.stats.pool import Pool, every


def best_score_at_k(scores: Sequence[float], k: int) -> float:
    """Return the mean over all subsets of `k` samples of the best score among them."""
    return float(np.sort(np.asarray(scores, float))[::-1] @ top_weights(len(scores), [k])[0])


def best_of_at_ks(pool: Pool, ks: Sequence[int]) -> Floats:
    """Return best-of-N@k of every problem for each of `ks`, (problems, ks), in closed form.

    The sample of rank r, 0 for the best, is the best of C(n-1-r, k-1) of the C(n, k) subsets. Samples of
    equal score share their ranks, and samples without a score come last.
    """
    return every(pool, ks, _best_of)


def _best_of(pool: Pool, ks: Sequence[int]) -> Floats:
    scores = np.where(np.isnan(pool.scores), -np.inf, pool.scores)
    means = tie_means(pool.correct.astype(float), scores)
    return np.asarray(means @ top_weights(scores.shape[1], ks).T, float)


def tie_means(values: Floats, scores: Floats) -> Floats:
    """Return each row's `values` from the best score to the worst, with their mean where scores are equal."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked, sorted_values = (np.take_along_axis(a, order, 1) for a in (scores, values))
    return shared(sorted_values, ranked)


def shared(values: Floats, ranked: Floats) -> Floats:
    """Return each row's `values` with their mean where `ranked` scores, which are in order, are equal."""
    opens = np.ones(ranked.shape, bool)  # a group opens with each row and each change of score
    opens[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    group = np.cumsum(opens.ravel()) - 1
    means = np.bincount(group, values.ravel()) / np.bincount(group)
    return np.asarray(means[group].reshape(ranked.shape), float)


def top_weights(n: int, ks: Sequence[int]) -> Floats:
    """Return the share of subsets of `k` of `n` samples in which each rank is the best: (ks, n)."""
    return -np.diff(missed(n, ks), axis=1)
