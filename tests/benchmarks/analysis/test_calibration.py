"""Reliability: nothing to find in a calibrated verifier, and exactly what is there in another."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.benchmarks.analysis.calibration import BINS, equal_mass_bins, reliability
from reasoner.benchmarks.analysis.step_metrics import JudgedSteps

groups = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(1, 5)), min_size=1, max_size=30
)


def table(scores: list[float], right: list[bool]) -> JudgedSteps:
    """Candidates of problems in turn."""
    places = np.arange(len(scores)) % 5
    return JudgedSteps(5, places, np.ones_like(places), np.array(scores), np.array(right))


@given(groups)
def test_a_perfectly_calibrated_verifier_has_no_error(found: list[tuple[int, int, int]]) -> None:
    scores, right = list[float](), list[bool]()
    for part, whole, times in found:
        share = Fraction(min(part, whole), whole)
        for _ in range(times):
            scores += [float(share)] * whole
            right += [i < share * whole for i in range(whole)]
    diagram = reliability(table(scores, right))
    assert diagram is not None and diagram.ece == pytest.approx(0, abs=1e-9)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_bins_hold_everything_once_and_the_error_is_a_share(
    found: list[tuple[float, bool]],
) -> None:
    scores, right = [s for s, _ in found], [r for _, r in found]
    diagram = reliability(table(scores, right))
    assert diagram is not None and 0 <= diagram.ece <= 1
    assert sum(b.size for b in diagram.bins) == len(found)
    rises = [b.score for b in diagram.bins]
    assert rises == sorted(rises) and len(rises) <= 1.5 * BINS
    places = dict(zip(scores, equal_mass_bins(np.array(scores)), strict=True))
    again = reliability(table(scores[::-1], right[::-1]))
    assert again is not None and again.ece == pytest.approx(diagram.ece)
    assert len(set(places.values())) == len(diagram.bins)


def test_distinct_scores_fill_bins_of_one_size_and_equal_ones_share_a_bin() -> None:
    spread = np.linspace(0, 1, 150) ** 4
    assert set(Counter(equal_mass_bins(spread).tolist()).values()) == {10}
    clumped = np.array([0.1] * 70 + [0.4] * 5 + [0.66] * 60 + [0.7] * 15)
    assert Counter(equal_mass_bins(clumped).tolist()) == {0: 70, 1: 5, 2: 60, 3: 15}
    few = np.array([0.1] * 70 + [0.4] * 4 + [0.66] * 76)
    assert Counter(equal_mass_bins(few).tolist()) == {0: 74, 1: 76}


def test_an_overconfident_verifier_is_measured() -> None:
    rng = np.random.default_rng(0)
    chance = rng.random(40_000)
    right = rng.random(40_000) < chance
    honest = reliability(table(chance.tolist(), right.tolist()))
    assert honest is not None and honest.ece < 0.02
    claimed = np.where(chance > 0.5, 1.0, 0.0)  # Off by a quarter on average, both ways.
    bold = reliability(table(claimed.tolist(), right.tolist()))
    assert bold is not None and bold.ece == pytest.approx(0.25, abs=0.01)
    assert [b.right.value for b in bold.bins] == pytest.approx([0.25, 0.75], abs=0.02)
    assert all(b.right.low < b.right.value < b.right.high for b in bold.bins)


def test_without_candidates_there_is_no_diagram() -> None:
    assert reliability(table([], [])) is None
