"""Estimates from a pool equal the average over every subset, counted one by one."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.benchmarks.stats import best_of_at_k, pass_at_k, votes_at

pools = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3", None]), st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    min_size=1,
    max_size=7,
)
Pool = list[tuple[str | None, float]]


def right(pool: Pool) -> list[bool]:
    return [answer == "1" for answer, _ in pool]


def brute_pass(pool: Pool) -> float:
    return float(any(right(pool)))


def brute_best(pool: Pool) -> float:
    high = max(score for _, score in pool)
    return fmean(answer == "1" for answer, score in pool if score == high)


def brute_vote(pool: Pool, weighted: bool) -> float:
    totals: dict[str, float] = {}
    for answer, score in pool:
        if answer is not None:
            totals[answer] = totals.get(answer, 0.0) + (score if weighted else 1.0)
    winners = [a for a, t in totals.items() if t == max(totals.values())]
    return fmean(a == "1" for a in winners) if winners else 0.0


@given(pools)
def test_closed_forms_equal_enumeration(pool: Pool) -> None:
    scores = [s for _, s in pool]
    for k in range(1, len(pool) + 1):
        subsets = [list(c) for c in combinations(pool, k)]
        assert pass_at_k(right(pool), k) == pytest.approx(fmean(map(brute_pass, subsets)))
        assert best_of_at_k(right(pool), scores, k) == pytest.approx(
            fmean(map(brute_best, subsets))
        )


@settings(deadline=None, max_examples=25)
@given(pools, st.booleans())
def test_votes_approach_enumeration(pool: Pool, weighted: bool) -> None:
    ks = range(1, len(pool) + 1)
    weights = [s for _, s in pool] if weighted else None
    found = votes_at([a for a, _ in pool], right(pool), weights, ks, draws=3000)
    for k, estimate in zip(ks, found, strict=True):
        exact = fmean(brute_vote(list(c), weighted) for c in combinations(pool, k))
        exactly = k in (1, len(pool))
        assert estimate == pytest.approx(exact, abs=1e-9 if exactly else 0.05)


def test_votes_are_seeded() -> None:
    answers, correct = ["1", "2", "2", "1", "3"], [True, False, False, True, False]
    first = votes_at(answers, correct, None, [2, 3], seed=4)
    assert first == votes_at(answers, correct, None, [2, 3], seed=4)
