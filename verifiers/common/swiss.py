"""Pairings of a Swiss tournament: a connected start, then neighbours in the ranking."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import comb

Pair = tuple[str, str]


def coverage(ring: Sequence[str], degree: int) -> list[Pair]:
    """Return pairs that connect the players on a ring, each of them in `degree` pairs, or in all there are.

    Each meets the next ones on the ring; an odd degree adds the one opposite. With an odd number of players
    one of them may have one more. A degree of 1 leaves a path.
    """
    count = len(ring)
    half, odd = divmod(max(0, min(degree, count - 1)), 2)
    if odd and not half:
        return list(pairwise(ring))
    places = [(i, i + step) for step in range(1, half + 1) for i in range(count)]
    places += [(i, i + count // 2) for i in range(odd * (count + 1) // 2)]
    return [(ring[i], ring[j % count]) for i, j in places]


def neighbours(ranking: Iterable[str], met: set[frozenset[str]], most: int) -> list[Pair]:
    """Return up to `most` pairs, from the top: each player and the next free one that it has not met."""
    free, pairs = list(ranking), list[Pair]()
    while free and len(pairs) < most:
        player = free.pop(0)
        if other := next((p for p in free if frozenset((player, p)) not in met), None):
            free.remove(other)
            pairs.append((player, other))
    return pairs


def matches(count: int, degree: int, rounds: int) -> int:
    """Return the matches of a tournament: those of `rounds`, and no fewer than `coverage` has."""
    start = len(coverage([""] * count, degree))
    return max(start, min(rounds * count // 2, comb(count, 2)))
