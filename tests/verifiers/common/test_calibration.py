"""Scores made chances: curves fitted, saved, and put around verifiers."""

from __future__ import annotations

import asyncio
import sys
from math import exp, log
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.analysis.calibration import calibration_error
from reasoner.errors import ConfigError
from reasoner.registry import Registry
from reasoner.search import BestOfN
from reasoner.solving import solve
from reasoner.types import Problem, Usage
from reasoner.verifiers.agreement import Agreement
from reasoner.verifiers.calibrated import Calibrated
from reasoner.verifiers.common.calibration import (
    CALIBRATION,
    EDGE,
    Isotonic,
    Platt,
    load,
    save,
    smoothed_labels,
)
from reasoner.verifiers.common.probability import log_odds
from reasoner.verifiers.confidence import Confidence
from reasoner.verifiers.ensemble import Ensemble
from reasoner.verifiers.verdict import Verdict
from tests.needs import need
from tests.verifiers.test_agreement import Given
from tests.verifiers.test_confidence import PROBLEM, patient, said, values
from tests.verifiers.test_ensemble import example

need("sklearn")
LABELLED = st.lists(
    st.tuples(st.integers(0, 1000).map(lambda i: i / 1000), st.booleans()), min_size=1, max_size=80
).map(lambda pairs: ([s for s, _ in pairs], [r for _, r in pairs]))
GRID = [i / 500 for i in range(501)]
Labelled = tuple[list[float], list[bool]]


def overconfident(count: int, slope: float = 2.0, intercept: float = -1.0) -> Labelled:
    """Solutions scored at random, right as often as the curve with these numbers says."""
    rng = Random(0)
    scores = [rng.uniform(0.02, 0.98) for _ in range(count)]
    return scores, [rng.random() < Platt(slope, intercept)(s) for s in scores]


def cross_entropy(chances: list[float], wanted: list[float]) -> float:
    """Of a curve's chances, from what it is fitted to."""
    pairs = [(min(max(c, 1e-12), 1 - 1e-12), w) for c, w in zip(chances, wanted, strict=True)]
    return -sum(w * log(c) + (1 - w) * log(1 - c) for c, w in pairs) / len(pairs)


# -- fitting ------------------------------------------------------------------------------------


@patient
@given(LABELLED)
def test_isotonic_rises_and_stays_in_range(labelled: Labelled) -> None:
    rates = list(map(Isotonic.fit(*labelled), GRID))
    assert rates == sorted(rates)
    assert 0 <= rates[0] <= rates[-1] <= 1


@patient
@given(LABELLED)
def test_isotonic_is_calibrated_on_what_it_was_fitted_to(labelled: Labelled) -> None:
    scores, right = labelled
    curve = Isotonic.fit(scores, right)
    after = calibration_error([curve(s) for s in scores], right)
    assert after <= calibration_error(scores, right) + 1e-9
    assert after == pytest.approx(0, abs=1e-9)


@settings(patient, max_examples=25)
@given(LABELLED)
def test_platt_stays_in_range_and_fits_no_worse_than_no_curve(labelled: Labelled) -> None:
    scores, right = labelled
    curve, wanted = Platt.fit(scores, right), smoothed_labels(right)
    assert all(0 <= curve(s) <= 1 for s in GRID)
    before = cross_entropy([Platt(1, 0)(s) for s in scores], wanted)
    assert cross_entropy([curve(s) for s in scores], wanted) <= before + 1e-4


@patient
@given(st.floats(1e-5, 1 - 1e-5))
def test_slope_one_and_intercept_zero_change_nothing(score: float) -> None:
    assert Platt(1, 0)(score) == pytest.approx(score)


def test_platt_finds_the_curve_that_the_labels_came_from() -> None:
    curve = Platt.fit(*overconfident(8000))
    assert curve.slope == pytest.approx(2, abs=0.15)
    assert curve.intercept == pytest.approx(-1, abs=0.1)


@pytest.mark.parametrize("kind", [Isotonic, Platt])
def test_calibration_holds_on_other_problems(kind: type[Isotonic] | type[Platt]) -> None:
    scores, right = overconfident(4000)
    curve = kind.fit(scores[:2000], right[:2000])
    before = calibration_error(scores[2000:], right[2000:])
    after = calibration_error([curve(s) for s in scores[2000:]], right[2000:])
    assert before > 0.1
    assert after < 0.05


def test_a_falling_verifier_is_turned_round_by_platt_and_levelled_by_isotonic() -> None:
    scores, right = overconfident(2000, slope=-2.0, intercept=0.0)
    platt, isotonic = Platt.fit(scores, right), Isotonic.fit(scores, right)
    assert platt.slope < -1
    assert isotonic(0.9) - isotonic(0.1) < 0.1


@pytest.mark.parametrize("kind", [Isotonic, Platt])
@pytest.mark.parametrize("labels", [[True] * 3, [False] * 3, [True, False, True]])
def test_equal_scores_and_equal_labels_can_be_fitted(
    kind: type[Isotonic] | type[Platt], labels: list[bool]
) -> None:
    curve = kind.fit([0.5] * 3, labels)
    assert curve(0.5) == pytest.approx(sum(labels) / 3, abs=0.21)


@pytest.mark.parametrize(
    ("scores", "right"), [([], []), ([0.5], []), ([0.5, 1.5], [True, False])]
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused(scores: list[float], right: list[bool]) -> None:
    for kind in (Isotonic, Platt):
        with pytest.raises(ConfigError, match=r"label|\[0, 1\]"):
            kind.fit(scores, right)


def test_calibration_error_by_hand() -> None:
    """Two bins: chances of 0.9 of which half are right, and of 0.3 of which none is."""
    chances, right = [0.9, 0.9, 0.3, 0.3], [True, False, False, False]
    assert calibration_error(chances, right) == pytest.approx((0.4 + 0.3) / 2)
    assert calibration_error([1.0, 0.0], [True, False]) == 0


# -- as JSON ------------------------------------------------------------------------------------


@patient
@given(LABELLED)
def test_a_curve_survives_json(labelled: Labelled) -> None:
    curve = Isotonic.fit(*labelled)
    assert CALIBRATION.validate_json(CALIBRATION.dump_json(curve)) == curve


@patient
@given(st.floats(-50, 50), st.floats(-50, 50))
def test_a_platt_curve_survives_json(slope: float, intercept: float) -> None:
    curve = Platt(slope, intercept)
    assert CALIBRATION.validate_json(CALIBRATION.dump_json(curve)) == curve


def test_a_saved_curve_needs_no_scikit_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curve.json"
    curve = Isotonic.fit([0.1, 0.2, 0.3, 0.4], [False, True, False, True])
    save(curve, path)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    verifier = Calibrated(Given(0.0, 0.25, 0.35, 1.0), path)
    assert verifier.curve == load(path) == curve
    assert values(verifier, *map(said, "abcd")) == pytest.approx([0, 0.5, 0.75, 1])


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"kind": "isotonic", "scores": [0.2, 0.1], "rates": [0, 1]}',
     '{"kind": "isotonic", "scores": [0.1, 0.2], "rates": [1, 0]}',
     '{"kind": "isotonic", "scores": [0.1, 0.2], "rates": [1]}',
     '{"kind": "isotonic", "scores": [], "rates": []}',
     '{"kind": "platt", "slope": NaN, "intercept": 0}'],
)  # fmt: skip
def test_a_file_that_holds_no_curve_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "curve.json"
    with pytest.raises(ConfigError, match=r"cannot read .*fit one and save it"):
        load(path)
    path.write_text(text)
    with pytest.raises(ConfigError, match="contains no calibration"):
        load(path)


# -- around a verifier --------------------------------------------------------------------------

HALVED = Isotonic((0.0, 1.0), (0.0, 0.5))


def test_scores_pass_through_the_curve_and_step_scores_do_not() -> None:
    verifier = Calibrated(Verdict("last"), HALVED)
    batch = [said("a"), said("b")]
    assert values(Calibrated(Given(0.2, 0.8), HALVED), *batch) == pytest.approx([0.1, 0.4])
    assert verifier.traits.ceiling == pytest.approx(0.5)
    assert Calibrated(Given(0.5), Platt(-1, 0)).traits.ceiling == pytest.approx(1, abs=1e-5)


async def test_step_scores_stay() -> None:
    result = await solve(
        PROBLEM, BestOfN(n=1), Scripted(), Calibrated("verdict(aggregate='last')", HALVED)
    )
    [node] = result.trace.finished
    assert node.score == pytest.approx(node.step_scores[-1] / 2)


def test_what_is_inside_shows() -> None:
    verifier = Calibrated(Confidence(), HALVED)
    traits = verifier.traits
    assert (traits.logprobs, traits.confidences, traits.comparative) == (True, 0, False)
    assert Calibrated(Agreement(), HALVED).traits.comparative
    costly = Calibrated(Given(0.5), HALVED)
    assert costly.estimate(PROBLEM, [said("a")] * 3) == Usage(3, 0, 0, 30)
    judgement = asyncio.run(costly.score(PROBLEM, [said("a")] * 3))
    assert judgement.usage == Usage(3, 0, 0, 30)
    assert values(costly) == []


def test_by_name(tmp_path: Path) -> None:
    save(Platt(1, 0), path := tmp_path / "curve.json")
    known = Registry("verifier", "-", {"calibrated": "reasoner.verifiers.calibrated:Calibrated"})
    assert known.make(
        f"calibrated(verifier='confidence', calibration={str(path)!r})"
    ).curve == Platt(1, 0)
    told = "{'kind': 'platt', 'slope': 2, 'intercept': 1}"
    made = known.make(f"calibrated(verifier='confidence', calibration={told})")
    assert made.curve == Platt(2, 1)
    with pytest.raises(ConfigError, match=r"cannot read .*fit one and save it"):
        known.make("calibrated(verifier='confidence', calibration='nowhere.json')")


async def test_from_a_pool_to_a_calibrated_ensemble() -> None:
    """The whole way: sample, label, fit a curve for each member, search with the ensemble."""
    members: list[Confidence | Verdict] = [Verdict("last"), Confidence()]
    fitted = []
    for member in members:
        scores, right = await pooled(member, count=40)
        curve = Isotonic.fit(scores, right)
        assert calibration_error([curve(s) for s in scores], right) < calibration_error(
            scores, right
        )
        fitted.append(Calibrated(member, curve))
    result = await solve(PROBLEM, BestOfN(n=8), Scripted(), Ensemble(tuple(fitted)))
    assert result.answer == "10"


async def pooled(verifier: Confidence | Verdict, count: int) -> Labelled:
    scores, right = list[float](), list[bool]()
    for seed in range(count):
        problem = Problem(f"p{seed}", f"{seed}+12+7+5")
        result = await solve(problem, BestOfN(n=4), Scripted(), verifier, seed=seed)
        scores += [s.score or 0.0 for s in result.candidates]
        right += [s.answer == str(seed + 24) for s in result.candidates]
    assert 0 < sum(right) < len(right)
    return scores, right


def test_the_example_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(example("calibrated"), {})
    assert isinstance(Calibrated("confidence", Path("confidence.json")).curve, Isotonic)


def test_log_odds_end() -> None:
    assert (
        log_odds(0.0, EDGE) == pytest.approx(-log_odds(1.0, EDGE)) == pytest.approx(-13.8, abs=0.1)
    )
    assert Platt(1e6, 0)(0.0) >= 0
    assert Platt(1, 0)(0.25) == pytest.approx(1 / (1 + exp(log(3))))
