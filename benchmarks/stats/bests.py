"""Majority-of-the-bests@k: the probability that the answer which is most often the best of m of k is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats, Indices
from reasoner.benchmarks.stats.best_of_n import shared, top_weights
from reasoner.benchmarks.stats.pool import Pool, every
from reasoner.benchmarks.stats.votes import SUBSETS, right_shares
from reasoner.search.majority_of_the_bests import subset_size


def majority_of_bests_at_ks(
    pool: Pool,
    ks: Sequence[int],
    seed: int = 0,
    subsets: int = SUBSETS,
    m: Callable[[int], int] = subset_size,
) -> Floats:
    """Return majority-of-the-bests@k of every problem for each of `ks`, of shape (problems, ks).

    The vote of `k` samples over their subsets of m(k) is exact (`best_of_subsets.best_shares`). The mean over
    all subsets of `k` samples is estimated, as that of `majority_at_ks`, by runs of neighbours on a ring in
    random order; it is exact for all samples. Tied answers share the vote; samples without an answer have none.
    """
    return every(pool, ks, lambda p, sizes: _estimate(p, sizes, seed, subsets, m))


def _estimate(
    pool: Pool, ks: Sequence[int], seed: int, subsets: int, m: Callable[[int], int]
) -> Floats:
    rng, n = np.random.default_rng(seed), pool.correct.shape[1]
    right = right_shares(pool)
    rounds = -(-8 * subsets // n)  # Small pools are cheap.
    values = np.zeros((pool.problems, len(ks)))
    for _ in range(rounds):
        order = rng.permuted(np.tile(np.arange(n), (pool.problems, 1)), axis=1)
        answers = np.take_along_axis(pool.answers, order, 1)
        scores, shares = (np.take_along_axis(a, order, 1) for a in (pool.scores, right))
        runs = [_runs(answers, scores, shares, k, m(k), subsets) for k in ks]
        values += np.stack(runs, 1) / rounds
    return values


def _runs(answers: Indices, scores: Floats, right: Floats, k: int, m: int, subsets: int) -> Floats:
    """Return the share of right runs of `k` neighbours of each row, from evenly spaced starts."""
    problems, n = answers.shape
    runs = 1 if k == n else min(n, max(subsets, -(-n // k)))
    window = (np.arange(runs)[:, None] * n // runs + np.arange(k)) % n
    answers, scores = answers[:, window].reshape(-1, k), scores[:, window].reshape(-1, k)
    right = right[:, window].reshape(-1, k)
    won = _won(answers, scores, right, m).reshape(problems, runs)
    # One after the other, since rounding depends on the order.
    return np.asarray(np.add.accumulate(won, 1)[:, -1] / runs, float)


def _won(answers: Indices, scores: Floats, right: Floats, m: int) -> Floats:
    """Return the share of right ones among the answers with the most wins, of each row."""
    problems, k = answers.shape
    wins = _best_shares(np.where(answers < 0, -np.inf, np.nan_to_num(scores, nan=-1.0)), m)
    cell = np.where(answers < 0, k, _first_places(answers)) + np.arange(problems)[:, None] * (k + 1)
    total = np.bincount(cell.ravel(), wins.ravel(), problems * (k + 1)).reshape(problems, -1)
    share = np.zeros(problems * (k + 1))
    share[cell.ravel()] = right.ravel()
    total = np.round(total[:, :k], 12)
    leads = (total == total.max(1, keepdims=True)) & (total > 0)
    return np.asarray(
        (leads * share.reshape(problems, -1)[:, :k]).sum(1) / np.maximum(1, leads.sum(1)), float
    )


def _first_places(answers: Indices) -> Indices:
    """Return for each sample the place of the first one in its row with the same answer."""
    order = np.argsort(answers, axis=1, kind="stable")
    ranked = np.take_along_axis(answers, order, 1)
    opens = np.ones(answers.shape, bool)
    opens[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    first = np.maximum.accumulate(np.where(opens, np.arange(answers.shape[1]), 0), axis=1)
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.take_along_axis(order, first, 1), 1)
    return places


def _best_shares(scores: Floats, m: int) -> Floats:
    """Return the share of subsets in which each sample is the best; minus infinity is in none."""
    rows, k = scores.shape
    counts = np.isfinite(scores).sum(1)
    weights = np.zeros((k + 1, k))
    for count in np.unique(counts[counts > 0]):
        weights[count, :count] = top_weights(int(count), [min(m, int(count))])[0]
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, 1)
    shares = np.empty((rows, k))
    np.put_along_axis(shares, order, shared(weights[counts], ranked), 1)
    return shares
