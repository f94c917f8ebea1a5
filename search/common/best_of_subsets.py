"""The best of a random subset: how often each of some scored samples is it."""

from collections.abc import Sequence
from math import comb


def best_shares(scores: Sequence[float], m: int) -> list[float]:
    """Return the share of subsets of `m` samples in which each is the best; equal scores share theirs.

    The sample of rank r, 0 for the best, is the best of C(n-1-r, m-1) of the C(n, m) subsets. With fewer
    than `m` samples, all of them are the only subset.
    """
    n = len(scores)
    m = min(m, n)
    order = sorted(range(n), key=lambda i: -scores[i])
    shares, first = [0.0] * n, 0
    while first < n:
        group = [i for i in order[first:] if scores[i] == scores[order[first]]]
        ranks = range(first, first + len(group))
        wins = sum(comb(n - 1 - r, m - 1) for r in ranks)
        for i in group:
            shares[i] = wins / (comb(n, m) * len(group))
        first += len(group)
    return shares
