"""Every N from one pool: unbiased estimates of what `k` of `n` samples would have answered."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

DRAWS = 200


def pass_at_k(correct: Sequence[bool], k: int) -> float:
    """The chance that `k` samples hold a right one (Chen et al., 2021, unbiased)."""
    n, c = len(correct), sum(correct)
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def best_of_at_k(correct: Sequence[bool], scores: Sequence[float], k: int) -> float:
    """The chance that the best-scored of `k` samples is right; equal scores share the choice."""
    rank_means = _tie_means(np.asarray(correct, float), np.asarray(scores, float))
    return float(rank_means @ _top_weights(len(correct), k))


def best_score_at_k(scores: Sequence[float], k: int) -> float:
    """The mean, over all choices of `k` samples, of the best score among them."""
    return float(np.sort(np.asarray(scores, float))[::-1] @ _top_weights(len(scores), k))


def votes_at(
    answers: Sequence[str | None],
    correct: Sequence[bool],
    weights: Sequence[float] | None,
    ks: Sequence[int],
    seed: int = 0,
    draws: int = DRAWS,
) -> list[float]:
    """The chance that a (weighted) vote among `k` samples is right, for each of `ks`.

    Subsets are drawn without replacement and shared by every `k`; a tied vote counts by the share
    of right answers in the tie, and samples without an answer do not vote.
    """
    chosen = _chosen(answers)
    right = (chosen.T @ np.asarray(correct, float)) / np.maximum(chosen.sum(0), 1)
    ballots = (
        chosen * np.asarray(weights if weights is not None else np.ones(len(answers)))[:, None]
    )
    order = _permutations(len(answers), draws, seed)
    return [_vote(chosen, ballots, right, _subsets(order, k)) for k in ks]


def _tie_means(correct: Floats, scores: Floats) -> Floats:
    order = np.argsort(-scores, kind="stable")
    _, group = np.unique(-scores[order], return_inverse=True)
    means = np.bincount(group, correct[order]) / np.bincount(group)
    return np.asarray(means[group], float)


def _top_weights(n: int, k: int) -> Floats:
    total = math.comb(n, k)
    return np.array([math.comb(n - 1 - r, k - 1) / total for r in range(n)])


def _chosen(answers: Sequence[str | None]) -> Floats:
    """One row per sample, one column per distinct answer."""
    names = sorted({a for a in answers if a is not None})
    rows = [[a == name for name in names] for a in answers]
    return np.array(rows, float).reshape(len(answers), len(names))


def _permutations(n: int, draws: int, seed: int) -> Indices:
    rows = np.tile(np.arange(n), (draws, 1))
    return np.random.default_rng(seed).permuted(rows, axis=1)


def _subsets(order: Indices, k: int) -> Indices:
    """Subsets of size `k`, one per row: all of them where that is cheap."""
    n = order.shape[1]
    if k == 1:
        return np.arange(n)[:, None]
    return np.arange(n)[None, :] if k == n else order[:, :k]


def _vote(chosen: Floats, ballots: Floats, right: Floats, subsets: Indices) -> float:
    if not right.size:
        return 0.0
    totals = ballots[subsets].sum(1)
    # An answer of weight zero is still an answer; one that nobody gave is not.
    named = chosen[subsets].any(1)
    tied = named & np.isclose(totals, totals.max(1, keepdims=True))
    share = (tied * right).sum(1) / np.maximum(tied.sum(1), 1)
    return float(share.mean())
