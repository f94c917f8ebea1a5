"""Estimates of whole pools equal the average over every subset, counted one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from math import sqrt
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.benchmarks.analysis.curves import VOTES, decided, sample_pool
from reasoner.benchmarks.stats import (
    Pool,
    best_of_at_ks,
    majority_at_ks,
    majority_of_bests_at_ks,
    pass_at_ks,
    weighted_at_ks,
)
from reasoner.benchmarks.store.grid import BEST, COVERAGE
from reasoner.benchmarks.store.records import Record, Sample
from reasoner.errors import ConfigError

Ballot = tuple[str | None, float | None]
Problem = list[Ballot]
ballots = st.tuples(
    st.sampled_from(["1", "2", "3", None]), st.sampled_from([None, 0.0, 0.1, 0.2, 0.3, 1.0])
)
problems = st.lists(st.lists(ballots, max_size=6), min_size=1, max_size=4)
KS = range(1, 7)


def record(problem: Problem) -> Record:
    samples = tuple(Sample(answer=a, correct=a == "1", score=s, tokens=1) for a, s in problem)
    return Record(problem="p", index=0, correct=False, samples=samples)


def pooled(found: Sequence[Problem]) -> Pool:
    return sample_pool([record(p) for p in found])


def brute_pass(subset: Problem) -> float:
    return float(any(a == "1" for a, _ in subset))


def brute_best(subset: Problem) -> float:
    scores = [-1.0 if s is None else s for _, s in subset]
    return fmean(a == "1" for (a, _), s in zip(subset, scores, strict=True) if s == max(scores))


def brute_bests(subset: Problem, m: int | None = None) -> float:
    answered = [(a, -1.0 if s is None else s) for a, s in subset if a is not None]
    size = min(m or round(sqrt(len(subset))), len(answered))
    wins = Counter[str]()
    for drawn in combinations(answered, size):
        top = [a for a, s in drawn if s == max(s for _, s in drawn)]
        for answer in top:
            wins[answer] += 60 // len(top)
    winners = [a for a, n in wins.items() if n == max(wins.values())]
    return fmean(a == "1" for a in winners) if winners else 0.0


def brute_vote(subset: Problem, weight: Callable[[float | None], float]) -> float:
    totals: dict[str, float] = {}
    for answer, score in subset:
        if answer is not None:
            totals[answer] = round(totals.get(answer, 0.0) + weight(score), 6)
    winners = [a for a, t in totals.items() if t == max(totals.values())]
    return fmean(a == "1" for a in winners) if winners else 0.0


def brute_majority(subset: Problem) -> float:
    return brute_vote(subset, lambda _: 1.0)


def brute_weighted(subset: Problem) -> float:
    return brute_vote(subset, lambda score: score or 0.0)


def enumerated(problem: Problem, k: int, brute: Callable[[Problem], float]) -> float:
    """The mean over all subsets; all samples where there are fewer than `k`, wrong without any."""
    size = min(k, len(problem))
    if not size:
        return 0.0
    alike = Counter(tuple(sorted(c, key=repr)) for c in combinations(problem, size))
    total = sum(times * brute(list(subset)) for subset, times in alike.items())
    return total / alike.total()


@given(problems)
def test_closed_forms_equal_enumeration(found: list[Problem]) -> None:
    for estimator, brute in ((pass_at_ks, brute_pass), (best_of_at_ks, brute_best)):
        exact = [[enumerated(p, k, brute) for k in KS] for p in found]
        assert estimator(pooled(found), KS) == pytest.approx(np.array(exact))


@settings(max_examples=settings().max_examples // 2)
@given(problems)
@pytest.mark.parametrize(
    ("estimator", "brute"),
    [
        (majority_at_ks, brute_majority),
        (weighted_at_ks, brute_weighted),
        (majority_of_bests_at_ks, brute_bests),
    ],
)
def test_votes_approach_enumeration(
    estimator: Callable[..., np.ndarray], brute: Callable[[Problem], float], found: list[Problem]
) -> None:
    exact = np.array([[enumerated(p, k, brute) for k in KS] for p in found])
    estimate = estimator(pooled(found), KS, subsets=400)
    assert estimate == pytest.approx(exact, abs=0.07)
    for row, problem in enumerate(found):
        sure = [0, *range(max(0, len(problem) - 1), len(KS))]  # one sample, and all of them
        assert estimate[row, sure] == pytest.approx(exact[row, sure])


@pytest.mark.parametrize(
    ("estimator", "weigh"), [(majority_at_ks, lambda _: 1.0), (weighted_at_ks, lambda s: s or 0.0)]
)
def test_votes_of_large_pools_agree_with_random_subsets(
    estimator: Callable[..., np.ndarray], weigh: Callable[[float | None], float]
) -> None:
    rng = np.random.default_rng(0)
    n, ks = 60, [2, 3, 5, 8, 13, 21, 34, 55]
    problem: Problem = [
        (str(rng.choice(["1", "2", "3", "4"], p=[0.32, 0.3, 0.2, 0.18])), round(rng.random(), 1))
        for _ in range(n)
    ]
    found = estimator(pooled([problem]), ks, subsets=2_000)[0]
    for k, estimate in zip(ks, found, strict=True):
        subsets = ([problem[i] for i in rng.permutation(n)[:k]] for _ in range(8000))
        assert estimate == pytest.approx(fmean(brute_vote(s, weigh) for s in subsets), abs=0.02)


scored = st.tuples(st.sampled_from(["1", "2", "3"]), st.floats(0, 1))


@given(
    st.lists(
        st.lists(scored, min_size=5, max_size=5, unique_by=lambda b: b[1]), min_size=1, max_size=4
    )
)
def test_the_ends_of_majority_of_the_bests(found: list[Problem]) -> None:
    pool = pooled(found)
    one, every = (majority_of_bests_at_ks(pool, [5], m=m) for m in (lambda _: 1, lambda k: k))
    assert one == pytest.approx(majority_at_ks(pool, [5]))
    assert every == pytest.approx(best_of_at_ks(pool, [5]))


@given(st.lists(ballots, min_size=1, max_size=6), st.integers(1, 7))
def test_majority_of_the_bests_of_every_subset_size(problem: Problem, m: int) -> None:
    pool = pooled([problem])
    [[value]] = majority_of_bests_at_ks(pool, [len(problem)], m=lambda _: m)
    assert value == pytest.approx(brute_bests(problem, m))


def test_curves_decide_by_these() -> None:
    found: list[Problem] = [[("1", 0.2), ("2", 0.9), ("1", 0.1)], [("3", 0.5)], []]
    pool, records = pooled(found), [record(p) for p in found]
    for strategy, estimator in {COVERAGE: pass_at_ks, BEST: best_of_at_ks}.items():
        assert np.array_equal(decided(records, strategy, [1, 3]), estimator(pool, [1, 3]))
    for strategy, vote in VOTES.items():
        assert np.array_equal(decided(records, strategy, [1, 2], 5), vote(pool, [1, 2], 5))


def test_votes_are_seeded() -> None:
    pool = pooled([[("1", 0.2), ("2", 0.2), ("3", 0.3), ("2", 0.1), ("1", 0.4)]] * 3)
    first = majority_at_ks(pool, KS, seed=4)
    assert (first == majority_at_ks(pool, KS, seed=4)).all()
    assert (first != majority_at_ks(pool, KS, seed=5)).any()


def test_parts_of_a_pool() -> None:
    pool = pooled([[("1", 0.1), ("2", 0.2), ("1", 0.3)], [("2", None)], []])
    assert pool.problems == 3
    assert pool.valid.tolist() == [[True] * 3, [True, False, False], [False] * 3]
    odd = pool.part(slice(1, None, 2))
    assert odd.sizes.tolist() == [1, 0, 0]
    assert odd.scores[0].tolist() == [0.2]


def test_what_cannot_be_estimated_is_refused() -> None:
    pool = pooled([[("1", -0.5), ("2", 0.5)]])
    with pytest.raises(ConfigError, match="0 or more"):
        weighted_at_ks(pool, [1])
    with pytest.raises(ConfigError, match="from 1, not from 0"):
        pass_at_ks(pool, [0, 1])
    with pytest.raises(ConfigError, match="one shape"):
        Pool(pool.correct, pool.scores[:, :1], pool.answers, pool.sizes)
