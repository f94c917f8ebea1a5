"""Statistics equal what scipy, enumeration or algebra say."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.benchmarks.analysis.selection import gap_closed
from reasoner.benchmarks.stats.area import area
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import clustered, estimate, estimates, resampled
from reasoner.benchmarks.stats.cost_curve import CostCurve
from reasoner.benchmarks.stats.difficulty import by_difficulty, difficulty_bins
from reasoner.benchmarks.stats.distributions import student_quantile
from reasoner.benchmarks.stats.holm import holm
from reasoner.benchmarks.stats.multiplier import multiplier
from reasoner.benchmarks.stats.paired import detectable, difference, mcnemar, paired, planned
from reasoner.benchmarks.stats.pareto import front, front_shares
from reasoner.benchmarks.stats.power_law import power_law
from reasoner.benchmarks.stats.proportion import share, wilson
from reasoner.benchmarks.stats.sign_test import sign_flips
from reasoner.errors import ConfigError
from tests.benchmarks.stats.simulated import World

stats = pytest.importorskip("scipy.stats", reason="scipy comes with scikit-learn")
RNG = np.random.default_rng(0)


def rows(*values: float, problems: int = 3) -> Floats:
    """The same values for every problem."""
    return np.tile(np.array(values, float), (problems, 1))


@pytest.mark.parametrize("freedom", [4, 5, 9, 49, 999])
def test_student_is_scipys(freedom: int) -> None:
    assert student_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-7)


@pytest.mark.parametrize(("right", "total"), [(0, 10), (3, 10), (10, 10), (450, 500)])
def test_wilson_is_scipys(right: int, total: int) -> None:
    expected = stats.binomtest(right, total).proportion_ci(method="wilson")
    assert wilson(right, total) == pytest.approx((expected.low, expected.high), abs=1e-6)


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_a_binomial_test(won: int, lost: int) -> None:
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected)


def test_the_interval_is_scipys() -> None:
    values = RNG.beta(6, 0.5, 80)
    [found] = estimates(values[:, None], draws=20_000)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    width = expected.high - expected.low  # ours is wider by Student's quantile
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(expected.low, abs=0.04 * width)
    assert found.high == pytest.approx(expected.high, abs=0.04 * width)


def test_many_columns_are_estimated_as_one_is() -> None:
    values = RNG.random((40, 3))
    many, one = estimates(values)[1], estimate(values[:, 1])
    assert (many.low, many.high) == pytest.approx((one.low, one.high))


def test_memory_is_bounded_and_draws_are_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    values = RNG.random((50, 2))
    monkeypatch.setattr("reasoner.benchmarks.stats.bootstrap.CELLS", 50 * 7)
    drawn = resampled(values, 100)
    assert drawn.shape == (100, 2)
    assert drawn[:, 0] == pytest.approx(resampled(values[:, 0], 100))
    assert drawn.std(0, ddof=1) == pytest.approx(values.std(0) / math.sqrt(50), rel=0.25)


def test_seeds_stay_inside_their_problem() -> None:
    values = RNG.random((30, 1)).repeat(4, 1)  # four seeds that say the same
    many, one = estimate(clustered(values)), estimate(values[:, 0])
    assert (many.low, many.high) == pytest.approx((one.low, one.high))


@settings(max_examples=50)
@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=30))
def test_shares_have_intervals_within_bounds(values: list[float]) -> None:
    found = share(np.array(values))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_one_problem_says_nothing_of_others() -> None:
    with pytest.raises(ConfigError, match="two problems or more"):
        estimate(np.array([1.0]))


def test_pairs() -> None:
    values, reference = np.array([1.0] * 8 + [0.0] * 2), np.array([1.0] * 3 + [0.0] * 6 + [1.0])
    found = paired(values, reference)
    assert (found.won, found.lost) == (5, 1)
    assert found.p == pytest.approx(stats.binomtest(5, 6).pvalue)
    assert found.difference.value == pytest.approx(0.4)
    assert found.exact and not paired(values / 2, reference).exact
    with pytest.raises(ConfigError, match="one value per problem"):
        paired(values, reference[:3])


def test_pairs_that_never_differ_may_still_differ() -> None:
    values = RNG.integers(0, 2, 100).astype(float)
    found = difference(values, values)
    assert found.low == -found.high == -wilson(0, 100)[1]


def test_what_could_be_seen_where_no_problem_differs() -> None:
    values = RNG.integers(0, 2, 100).astype(float)
    found = paired(values, values)
    assert found.p == 1 and found.detectable == planned(100, wilson(0, 100)[1]) > 0.05


def counted(gain: Floats) -> float:
    """The share of all choices of signs with a sum as far from 0."""
    signs = np.array(list(product((-1, 1), repeat=len(gain))))
    return float((np.abs(signs @ gain) >= abs(gain.sum()) - 1e-9).mean())


@pytest.mark.parametrize("problems", [1, 5, 9, 17])
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_flipped_signs(problems: int, shift: float) -> None:
    gain = np.random.default_rng(problems).uniform(-1, 1, problems) + shift
    with_ties = np.concatenate([gain / 3, np.zeros(40)])
    assert sign_flips(with_ties) == pytest.approx(
        counted(gain), rel=0.05 if problems > 16 else 1e-9
    )


def test_flipped_signs_of_right_or_wrong_are_mcnemars() -> None:
    for won, lost in ((8, 2), (5, 5), (9, 0), (0, 0), (40, 0)):
        gain = np.array([1.0] * won + [-1.0] * lost)
        assert sign_flips(gain) == pytest.approx(mcnemar(won, lost))
    many = np.array([1.0] * 5300 + [-1.0] * 5000)
    assert sign_flips(many) == pytest.approx(mcnemar(5300, 5000), rel=0.05)


def test_flipped_signs_are_rarely_far_out_by_luck() -> None:
    gains = np.random.default_rng(0).normal(size=(2000, 60))
    small = np.mean([sign_flips(gain) <= 0.05 for gain in gains])
    assert small == pytest.approx(0.05, abs=0.015)
    far = stats.ttest_1samp(gains[0] + 1, 0).pvalue
    assert sign_flips(gains[0] + 1) < 1e-6 and far < 1e-6


def test_holm_is_what_every_subset_admits() -> None:
    """A p-value holds together with others if it does in every subset by Bonferroni's rule."""
    ps = [0.01, 0.04, 0.03, 0.005, 0.6, 0.04]

    def closed(i: int) -> float:
        subsets = [s for n in range(1, 7) for s in combinations(range(6), n) if i in s]
        return max(min(1.0, len(s) * min(ps[j] for j in s)) for s in subsets)

    assert holm(ps) == pytest.approx([closed(i) for i in range(6)])
    assert holm([0.03]) == [0.03] and holm([]) == []


def test_detectable_effects() -> None:
    assert planned(1000, 0.1) == pytest.approx(0.028, abs=1e-3)
    assert planned(4000, 0.1) == pytest.approx(0.014, abs=1e-3)
    seen = 1 - stats.norm.cdf(1.959964, loc=detectable(0.01) / 0.01)
    assert seen == pytest.approx(0.8, abs=1e-4)


def test_the_same_curve_at_a_quarter_of_the_cost() -> None:
    values = np.sort(RNG.random((90, 5)), axis=1)  # every problem rises
    costs = np.array([4.0, 16, 64, 256, 1024])
    found = multiplier(CostCurve(costs / 4, values), CostCurve(costs, values))
    assert [found.value, found.low, found.high] == pytest.approx([4, 4, 4])
    level = float(values.mean(0)[2])
    assert multiplier(CostCurve(costs / 4, values), CostCurve(costs, values), level).value == (
        pytest.approx(4)
    )


def test_costs_are_interpolated_on_the_log_axis() -> None:
    ours = CostCurve(np.array([1.0, 16]), rows(0, 1))
    theirs = CostCurve(np.array([2.0, 8]), rows(0, 0.5))
    assert multiplier(ours, theirs).value == pytest.approx(8 / 4)


def test_a_fall_costs_nothing_that_was_reached_before_it() -> None:
    ours = CostCurve(np.array([1.0, 2, 4, 8]), rows(0.1, 0.6, 0.5, 0.5))
    theirs = CostCurve(np.array([1.0, 8]), rows(0.1, 0.6))
    assert multiplier(ours, theirs).value == pytest.approx(4)


def test_an_accuracy_that_is_never_reached() -> None:
    ours = CostCurve(np.array([1.0, 4]), rows(0.1, 0.2, problems=50))
    theirs = CostCurve(np.array([1.0, 8]), rows(0.1, 0.5, problems=50))
    found = multiplier(ours, theirs)
    assert (found.value, found.low) == (None, 0)
    assert found.high == pytest.approx(8 / 4)


def test_an_accuracy_that_the_smallest_size_has() -> None:
    ours = CostCurve(np.array([1.0, 4]), rows(0.7, 0.8, problems=50))
    theirs = CostCurve(np.array([1.0, 8]), rows(0.1, 0.5, problems=50))
    found = multiplier(ours, theirs)
    assert (found.value, found.high) == (None, math.inf)
    assert found.low == pytest.approx(8)


def test_an_accuracy_at_which_too_few_problems_are_left() -> None:
    """The estimate stands, and the interval claims nothing."""
    ours = CostCurve(np.array([1.0, 4]), rows(0.1, 0.95, problems=90))
    theirs = CostCurve(np.array([2.0, 8]), rows(0.1, 0.95, problems=90))
    found = multiplier(ours, theirs)
    assert found.value == pytest.approx(2) and (found.low, found.high) == (0, math.inf)
    assert multiplier(ours, theirs, 0.9).high == pytest.approx(2)


def test_curves_must_compare() -> None:
    curve = CostCurve(np.array([1.0, 2]), rows(0, 1))
    with pytest.raises(ConfigError, match="same problems"):
        multiplier(curve, CostCurve(np.array([1.0, 2]), rows(0, 1, problems=4)))
    with pytest.raises(ConfigError, match="costs must rise"):
        CostCurve(np.array([2.0, 1]), rows(0, 1))
    with pytest.raises(ConfigError, match="two sizes"):
        area(CostCurve(np.array([1.0]), rows(0.5)))


def test_area() -> None:
    assert area(CostCurve(np.array([1.0, 4, 64]), rows(0, 1, 1))).value == pytest.approx(5 / 6)
    assert area(CostCurve(np.array([1.0, 4, 64]), rows(1, 1, 1))).value == pytest.approx(1)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=8))
def test_front_is_what_nothing_dominates(points: list[tuple[int, int]]) -> None:
    def dominated(cost: int, value: int) -> bool:
        return any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)

    costs, values = np.array(points, float).T
    found = front(costs, values)
    assert sorted(found) == [i for i, p in enumerate(points) if not dominated(*p)]
    assert (np.diff(costs[found]) >= 0).all()


def test_a_point_on_the_front_by_luck() -> None:
    costs, same = np.tile([1.0, 2.0], (200, 1)), RNG.random(200)
    sure = front_shares(costs, np.column_stack([same, same + 0.1]))
    lucky = front_shares(costs, np.column_stack([same, RNG.permutation(same)]))
    assert sure.tolist() == [1, 1]
    assert 0.2 < lucky[1] < 0.8


def test_gap_closed() -> None:
    majority, coverage = RNG.random(50) / 2, 0.5 + RNG.random(50) / 2
    for part in (0.0, 0.5, 1.0):
        found = gap_closed(majority + part * (coverage - majority), majority, coverage)
        assert found is not None
        assert [found.value, found.low, found.high] == pytest.approx([part] * 3)
    assert gap_closed(majority, majority, majority) is None


def test_difficulty() -> None:
    rates = np.array([0.0, 0.1, 0.2, 0.5, 1.0, 1.0])
    values = np.array([0, 1, 1, 0, 1, 1.0])[:, None]
    assert difficulty_bins(rates).tolist() == [0, 0, 1, 2, 4, 4]
    bins = by_difficulty(rates, values)
    assert [b.problems for b in bins] == [2, 1, 1, 0, 2]
    assert [b.accuracies[0].value for b in bins if b.problems] == [0.5, 1, 0, 1]
    assert bins[3].accuracies == ()
    with pytest.raises(ConfigError, match="rise from 0 to 1"):
        difficulty_bins(rates, (0.0, 0.5))


def test_power_law_of_itself() -> None:
    ks = [1, 2, 4, 8]
    found = power_law(rows(*(math.exp(-0.8 * k**-0.3) for k in ks), problems=50), ks)
    assert found.ks == (1, 2, 4, 8)
    assert (found.a.value, found.b.value, found.r2) == pytest.approx((0.8, 0.3, 1))
    assert found.at(16) == pytest.approx(math.exp(-0.8 * 16**-0.3))
    with pytest.raises(ConfigError, match="5 unsolved; on 3 problems 0 k qualify"):
        power_law(rows(0.2, 0.5, 0.9, 1), ks)


def test_a_power_law_leaves_out_what_hangs_on_a_few_problems() -> None:
    ks = [1, 2, 4, 8, 16]
    found = power_law(rows(0.04, 0.3, 0.6, 0.94, 0.96, problems=100), ks)
    assert found.ks == (2, 4, 8)
    assert found == power_law(rows(0.3, 0.6, 0.94, problems=100), ks[1:4])


def test_the_exponent_is_that_of_the_hardest_problems() -> None:
    world, ks = World(easy=0.4, hard=1.0), [256, 512, 1024, 2048]
    found = power_law(rows(*map(world.coverage, ks), problems=2000), ks)
    assert found.b.value == pytest.approx(world.easy, abs=0.02)
