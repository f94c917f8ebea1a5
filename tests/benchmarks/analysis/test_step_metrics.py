"""Step AUC and first-error F1: known answers, brute force, and what must not change them."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from statistics import NormalDist, fmean

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reasoner.benchmarks.analysis.step_metrics import (
    JudgedSteps,
    ScoredSolution,
    Windows,
    auc,
    auc_estimate,
    depths,
    first_error,
)

scores = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
judged = st.lists(st.tuples(scores, st.booleans()), min_size=1, max_size=12)
Pools = list[list[ScoredSolution]]
free = settings(deadline=None)


@st.composite
def solutions(draw: st.DrawFn) -> ScoredSolution:
    """Scores of one to five prefixes, which are right up to a first error."""
    values = draw(st.lists(scores, min_size=1, max_size=5))
    right = draw(st.integers(0, len(values)))
    return values, [i < right for i in range(len(values))]


pools = st.lists(st.lists(solutions(), min_size=1, max_size=4), min_size=1, max_size=4)


@st.composite
def mixed(draw: st.DrawFn) -> Pools:
    """Pools with right and wrong solutions among them."""
    found = draw(pools)
    kinds = {all(labels) for pool in found for _, labels in pool}
    assume(len(kinds) == 2)
    return found


def f1(found: Pools, threshold: float) -> float:
    """ProcessBench's definition, solution by solution."""
    wrong, right = list[bool](), list[bool]()
    for values, labels in (s for pool in found for s in pool):
        said = next((i for i, v in enumerate(values) if v < threshold), -1)
        true = labels.index(False) if False in labels else -1
        (right if true == -1 else wrong).append(said == true)
    one, other = fmean(wrong), fmean(right)
    return 2 * one * other / (one + other) if one + other else 0.0


@free
@given(judged)
def test_auc_is_the_share_of_pairs_in_order(steps: list[tuple[float, bool]]) -> None:
    right = [s for s, label in steps if label]
    wrong = [s for s, label in steps if not label]
    pairs = [(a > b) + (a == b) / 2 for a in right for b in wrong]
    value = auc([s for s, _ in steps], [label for _, label in steps])
    assert value == (pytest.approx(fmean(pairs)) if pairs else None)


def cubed(x: float) -> float:
    """A rising map that moves high scores apart."""
    return x**3


def steep(x: float) -> float:
    """Another."""
    return exp(5 * x) / 200


@pytest.mark.parametrize("rising", [cubed, steep])
@free
@given(judged)
def test_auc_does_not_depend_on_the_scale(
    rising: Callable[[float], float], steps: list[tuple[float, bool]]
) -> None:
    values, labels = [s for s, _ in steps], [label for _, label in steps]
    assert auc([rising(s) for s in values], labels) == auc(values, labels)
    turned = auc([-s for s in values], labels)
    plain = auc(values, labels)
    assert turned == plain is None or (turned or 0) + (plain or 0) == pytest.approx(1)


def noisy(problems: int, seed: int, shared: float = 0.0) -> Pools:
    """Normal scores, those of right steps one higher: an AUC of Φ(1/√2), or .760."""
    rng = np.random.default_rng(seed)
    found: Pools = []
    for _ in range(problems):
        common, pool = rng.normal() * shared, list[ScoredSolution]()
        for _ in range(8):
            right = int(rng.integers(0, 5))
            labels = [i < right for i in range(4)]
            noise = rng.normal(size=4) * (1 - shared**2) ** 0.5 + common
            pool.append(([float(x + y) for x, y in zip(noise, labels, strict=True)], labels))
        found.append(pool)
    return found


def test_the_auc_of_a_known_verifier_is_found() -> None:
    found = auc_estimate(JudgedSteps.of(noisy(400, 0)))
    truth = NormalDist().cdf(2**-0.5)
    assert found is not None and found.low < truth < found.high
    assert found.value == pytest.approx(truth, abs=0.01)
    assert 0.01 < found.high - found.low < 0.03


def test_steps_of_one_problem_are_not_independent() -> None:
    alone, alike = (auc_estimate(JudgedSteps.of(noisy(60, 1, shared))) for shared in (0.0, 0.9))
    assert alone and alike
    assert alike.high - alike.low > 1.5 * (alone.high - alone.low)


def test_depths_count_their_own_steps() -> None:
    pool = [([0.9, 0.2], [True, False]), ([0.4, 0.8], [False, False]), ([0.7], [True])]
    one, two = depths(JudgedSteps.of([pool]))
    assert (one.depth, one.steps) == (1, 3) and one.right == pytest.approx(2 / 3)
    assert one.auc is not None and one.auc.value == 1
    assert (two.depth, two.steps, two.auc) == (2, 2, None)


@free
@given(mixed(), scores)
def test_windows_give_the_f1_of_processbench(found: Pools, threshold: float) -> None:
    [value] = Windows.of(found).f1(np.array([threshold]))
    assert value == pytest.approx(f1(found, threshold))


@free
@given(mixed())
def test_no_threshold_is_better_than_the_chosen_one(found: Pools) -> None:
    chosen = Windows.of(found).threshold()
    assert chosen is not None
    tried = [f1(found, t) for t in np.linspace(-0.05, 1.05, 45)]
    assert f1(found, chosen) >= max(tried) - 1e-12


@free
@given(mixed(), mixed())
def test_first_error_f1_is_between_its_parts(tuned: Pools, tested: Pools) -> None:
    found = first_error(Windows.of(tuned), Windows.of(tested))
    assert found is not None
    low, high = sorted((found.wrong.value, found.right.value))
    assert 0 <= found.f1.low <= found.f1.high <= 1
    assert low - 1e-12 <= found.f1.value <= high + 1e-12
    assert found.f1.value == pytest.approx(f1(tested, found.threshold))


@free
@given(mixed())
def test_f1_does_not_depend_on_the_scale(found: Pools) -> None:
    scaled: Pools = [[([cubed(v) for v in s], labels) for s, labels in pool] for pool in found]
    one, other = (first_error(w, w) for w in (Windows.of(found), Windows.of(scaled)))
    assert one and other and one.f1.value == pytest.approx(other.f1.value)


def test_a_verifier_that_errs_nowhere_has_an_f1_of_one_at_a_threshold_half_way() -> None:
    pool = [([0.9, 0.3, 0.1], [True, False, False]), ([0.8, 0.7], [True, True])]
    found = first_error(Windows.of([pool]), Windows.of([pool]))
    assert found is not None
    assert found.f1.value == 1 and found.threshold == pytest.approx(0.5)
    assert (found.wrong_solutions, found.right_solutions) == (1, 1)


def test_the_exact_step_must_be_found() -> None:
    early, late = ([0.2, 0.1], [True, False]), ([0.9, 0.8, 0.1], [True, False, False])
    right = ([0.9, 0.9], [True, True])
    found = first_error(
        Windows.of([[([0.9, 0.1], [True, False]), right]]), Windows.of([[early, late, right]])
    )
    assert found is not None and (found.wrong.value, found.f1.value) == (0, 0)


@pytest.mark.parametrize("labels", [[True, True], [True, False], []])
def test_without_both_kinds_of_solutions_there_is_no_f1(labels: list[bool]) -> None:
    one_kind = Windows.of([[([0.5] * len(labels), labels)]])
    both = Windows.of([[([0.9], [True]), ([0.1], [False])]])
    assert one_kind.threshold() is None
    assert first_error(one_kind, both) is None
    assert first_error(both, one_kind) is None
