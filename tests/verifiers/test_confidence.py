"""The model's own confidence, by hand and against DeepConf's own groups."""

from __future__ import annotations

import asyncio
from math import exp, log
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted
from reasoner.backends.token_confidence import FLOOR, confidence
from reasoner.base import Verifier
from reasoner.errors import ConfigError
from reasoner.search import BestOfN
from reasoner.search.deepconf import Group
from reasoner.solving import solve
from reasoner.types import Candidate, Completion, Finish, Judgement, Problem
from reasoner.verifiers.confidence import Confidence
from reasoner.verifiers.self_certainty import LEAST, LIKELIEST, MOST, SelfCertainty, scaled
from reasoner.verifiers.tail_confidence import TailConfidence

PROBLEM = Problem("p", "1+2+3+4")
WRITTEN = Completion("Wait", (7, 7, 7), Finish.WRITTEN)
patient = settings(deadline=None)
"""Settings without a deadline: the duration of a test says nothing on a busy machine."""
SURE = st.lists(st.floats(0, 20), min_size=1, max_size=60)


def said(text: str, *, complete: bool = True) -> Candidate:
    finish = Finish.EOS if complete else Finish.STOP
    return Candidate((Completion(text, tuple(map(ord, text)), finish),), complete)


def told(*confidences: float) -> Candidate:
    ids = tuple(range(len(confidences)))
    return Candidate((Completion("a", ids, Finish.EOS, confidences=confidences),), True)


def values(verifier: Verifier, *candidates: Candidate, problem: Problem = PROBLEM) -> list[float]:
    return [s.value for s in asyncio.run(verifier.score(problem, candidates)).scores]


def test_what_a_strategy_wrote_says_nothing_of_the_model() -> None:
    piece = Completion("ab", (1, 2), Finish.STOP, -2.0, (), (5.0, 9.0))
    plain, stretched = Candidate((piece,), False), Candidate((piece, WRITTEN, piece), False)
    for verifier in (Confidence(), SelfCertainty(), TailConfidence(window=2)):
        assert values(verifier, stretched) == values(verifier, plain)
    assert values(Confidence(), plain) == [pytest.approx(exp(-1))]


def test_a_piece_without_log_probabilities_is_refused() -> None:
    whole, piece = told(3.0), Completion("ab", (1, 2), Finish.EOS)
    for verifier in (Confidence(), SelfCertainty(), TailConfidence()):
        with pytest.raises(ConfigError, match="backend"):
            values(verifier, Candidate((*whole.completions, piece), True))


@pytest.mark.parametrize("verifier", [Confidence(), SelfCertainty(), TailConfidence()])
async def test_they_cost_nothing(verifier: Verifier) -> None:
    assert await verifier.score(PROBLEM, []) == Judgement(())
    assert verifier.estimate(PROBLEM, [told(1.0)]).requests == 0


def test_self_certainty_is_zero_where_all_tokens_are_equally_likely() -> None:
    uniform = confidence([-log(LIKELIEST)] * LIKELIEST)
    certain = confidence([0.0] + [FLOOR] * (LIKELIEST - 1))
    halfway = told(uniform, (uniform + MOST) / 2, MOST)
    assert MOST == -FLOOR
    assert values(SelfCertainty(), told(uniform)) == [pytest.approx(0)]
    assert values(SelfCertainty(), halfway) == [pytest.approx(0.5)]
    assert 0.9 < values(SelfCertainty(), told(certain))[0] < 1


@patient
@given(st.lists(st.floats(1e-6, 1), min_size=LIKELIEST, max_size=LIKELIEST))
def test_no_distribution_is_less_certain_than_uniform(shares: list[float]) -> None:
    assert confidence([log(s / sum(shares)) for s in shares]) >= LEAST - 1e-9


@patient
@given(st.floats(0, 25), st.floats(0, 25))
def test_the_scale_keeps_the_order(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert 0 <= scaled(low) <= scaled(high) <= 1


@pytest.mark.parametrize(
    ("verifier", "mean"),
    [
        (TailConfidence("last", 2), 9.5),
        (TailConfidence("lowest", 2), 4.5),
        (TailConfidence("bottom", 2), 4.5),
        (TailConfidence("last", 99), 8.0),
        (TailConfidence("lowest", 99), 8.0),
    ],
)
def test_groups_by_hand(verifier: TailConfidence, mean: float) -> None:
    assert values(verifier, told(12.0, 5.0, 4.0, 10.0, 9.0)) == [pytest.approx(scaled(mean))]


def test_bottom_is_the_mean_of_the_lowest_tenth() -> None:
    sure = [float(x) for x in range(4, 19)]
    [value] = values(TailConfidence("bottom", 1), told(*sure))
    assert value == pytest.approx(scaled(4.5))


@patient
@given(SURE, st.integers(1, 70))
def test_the_lowest_group_is_that_of_deepconf(sure: list[float], window: int) -> None:
    group = Group(min(window, len(sure)))
    lowest = min(map(group.add, sure))
    [value] = values(TailConfidence("lowest", window), told(*sure))
    assert value == pytest.approx(scaled(lowest))


@patient
@given(SURE, st.integers(1, 70))
def test_the_last_group_is_the_end(sure: list[float], window: int) -> None:
    [value] = values(TailConfidence("last", window), told(*sure))
    assert value == pytest.approx(scaled(fmean(sure[-window:])))


def test_no_token_is_no_confidence() -> None:
    nothing = Candidate((), False)
    assert values(SelfCertainty(), nothing) == values(TailConfidence(), nothing) == [0.0]


@pytest.mark.parametrize("verifier", [SelfCertainty(), TailConfidence(window=4)])
async def test_a_search_takes_the_surest(verifier: Verifier) -> None:
    result = await solve(PROBLEM, BestOfN(n=8), Scripted(), verifier)
    scores = [s.score or 0.0 for s in result.candidates]
    assert result.answer == "10"
    assert max(scores) > min(scores)
