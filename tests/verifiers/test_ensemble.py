"""Several verifiers, one score."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from math import inf, prod
from typing import Literal, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted
from reasoner.base import Backend, needs_model
from reasoner.budget import Budget
from reasoner.errors import BackendError, ConfigError
from reasoner.registry import Registry
from reasoner.search import BestOfN
from reasoner.solving import solve
from reasoner.types import Candidate, Judgement, Problem, Usage
from reasoner.verifiers.agreement import Agreement
from reasoner.verifiers.confidence import Confidence
from reasoner.verifiers.ensemble import Ensemble
from reasoner.verifiers.oracle import Oracle
from reasoner.verifiers.tail_confidence import TailConfidence
from reasoner.verifiers.verdict import Verdict
from tests import ROOT
from tests.verifiers.test_agreement import Given
from tests.verifiers.test_confidence import PROBLEM, patient, said, values

Combine = Literal["mean", "product", "min"]
COMBINE = st.sampled_from(["mean", "product", "min"])
VALUES = st.lists(st.floats(0, 1), min_size=3, max_size=3)
TWO = (Given(0.2, 0.9), Given(0.6, 0.5))


@pytest.mark.parametrize(
    ("combine", "weights", "expected"),
    [
        ("mean", (), [0.4, 0.7]),
        ("mean", (3, 1), [0.3, 0.8]),
        ("product", (), [0.12, 0.45]),
        ("product", (2, 0), [0.04, 0.81]),
        ("min", (), [0.2, 0.5]),
    ],
)
def test_by_hand(combine: Combine, weights: tuple[float, ...], expected: list[float]) -> None:
    verifier = Ensemble(TWO, combine, weights)
    assert values(verifier, said("a"), said("b")) == pytest.approx(expected)


@patient
@given(COMBINE, VALUES, st.integers(0, 2), st.floats(0, 1))
def test_a_better_score_of_one_member_is_never_worse(
    combine: Combine, told: list[float], which: int, rise: float
) -> None:
    ensemble = Ensemble((Given(0.5),) * 3, combine)
    better = [*told[:which], max(told[which], rise), *told[which + 1 :]]
    assert 0 <= ensemble.combined(told) <= ensemble.combined(better) <= 1


@patient
@given(VALUES, st.lists(st.floats(0, 5), min_size=3, max_size=3).filter(any))
def test_weights_keep_scores_in_range(told: list[float], weights: list[float]) -> None:
    mean = Ensemble((Given(0.5),) * 3, "mean", tuple(weights)).combined(told)
    assert 0 <= mean <= 1
    heard = [t for t, w in zip(told, weights, strict=True) if w]
    assert min(heard) - 1e-9 <= mean <= max(heard) + 1e-9
    product = Ensemble((Given(0.5),) * 3, "product", tuple(weights)).combined(told)
    assert product == pytest.approx(prod(t**w for t, w in zip(told, weights, strict=True)))


async def test_members_are_paid_and_admitted_together() -> None:
    verifier = Ensemble((Given(0.5), Given(0.6), "verdict"))
    result = await solve(PROBLEM, BestOfN(n=8), Scripted(), verifier)
    assert result.verifier == Usage(16, 0, 0, 160)
    budget = Budget(tokens=result.generator.completion_tokens + 70)
    tight = await solve(PROBLEM, BestOfN(n=8), Scripted(), verifier, budget=budget)
    assert tight.usage.completion_tokens <= (budget.tokens or 0)
    assert tight.verifier.completion_tokens == 60


class Meeting(Given):
    """Scores once the other member has been asked too."""

    def __init__(self, barrier: asyncio.Barrier) -> None:
        super().__init__(0.5)
        self.barrier = barrier

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        await self.barrier.wait()
        return await super().score(problem, candidates)


async def test_members_run_at_once() -> None:
    barrier = asyncio.Barrier(2)
    verifier = Ensemble((Meeting(barrier), Meeting(barrier)))
    async with asyncio.timeout(5):
        judgement = await verifier.score(PROBLEM, [said("a")])
    assert [s.value for s in judgement.scores] == [0.5]


class Failing(Given):
    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        raise BackendError("the judge is gone")


async def test_a_member_that_fails_ends_the_others_and_the_run() -> None:
    stuck = Meeting(asyncio.Barrier(2))
    result = await solve(PROBLEM, BestOfN(n=2), Scripted(), Ensemble((stuck, Failing(0.5))))
    assert result.error == "the judge is gone"
    assert len(asyncio.all_tasks()) == 1


async def test_it_asks_for_what_its_members_read() -> None:
    quiet, curious = Ensemble(("verdict",)), Ensemble(("verdict", Confidence(), TailConfidence()))
    assert (quiet.traits.logprobs, quiet.traits.confidences) == (False, 0)
    assert (curious.traits.logprobs, curious.traits.confidences) == (True, 20)
    result = await solve(PROBLEM, BestOfN(n=8), Scripted(), Ensemble())
    assert result.answer == "10"


async def test_an_oracle_inside_is_marked() -> None:
    oracle = Oracle(lambda _, solution: solution.endswith("#10"))
    nested = Ensemble((Agreement(by=Ensemble((oracle,))), "verdict"))
    assert (await solve(PROBLEM, BestOfN(n=2), Scripted(), nested)).oracle
    assert not (await solve(PROBLEM, BestOfN(n=2), Scripted(), Ensemble())).oracle


class Asking(Given):
    """Needs a model, and remembers which it was lent."""

    model: Backend | None = None

    def on(self, backend: Backend) -> Self:
        lent = copy(self)
        lent.model = backend
        return lent

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        assert self.model is not None
        judgement = await super().score(problem, candidates)
        return replace(judgement, malformed=len(candidates))


def test_members_are_lent_the_model_that_they_lack() -> None:
    backend, other = Scripted(), Scripted()
    first, second = Asking(0.5), Asking(0.5).on(other)
    verifier = Agreement(by=Ensemble((first, second, "verdict")))
    assert (verifier.model, needs_model(verifier)) == (None, True)
    lent = verifier.on(backend)
    assert (lent.model, needs_model(lent), needs_model(verifier)) == (backend, False, True)
    [inner] = lent.inner
    assert isinstance(inner, Ensemble)
    assert [getattr(v, "model", None) for v in inner.inner] == [backend, other, None]
    assert not needs_model(Ensemble())


async def test_a_run_lends_its_model() -> None:
    verifier = Ensemble((Asking(0.5), Asking(0.7)))
    result = await solve(PROBLEM, BestOfN(n=2), Scripted(), Agreement(by=verifier))
    assert result.error is None
    judgement = await verifier.on(Scripted()).score(PROBLEM, [said("a")])
    assert judgement.malformed == 2


async def test_what_members_hold_is_released() -> None:
    class Holding(Given):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    member = Holding(0.5)
    await Agreement(by=Ensemble((member, "verdict"))).aclose()
    assert member.closed


def test_what_compares_inside_compares() -> None:
    assert Ensemble(("verdict", Agreement())).traits.comparative
    assert not Ensemble().traits.comparative


def test_the_ceiling_is_where_every_member_gives_its_highest() -> None:
    assert Ensemble((Verdict(), Given(0.5))).traits.ceiling == pytest.approx((2 / 3 + 1) / 2)
    assert Ensemble((Verdict(), Given(0.5)), "min").traits.ceiling == pytest.approx(2 / 3)
    assert Ensemble((Verdict(), Verdict("last")), "product").traits.ceiling == pytest.approx(2 / 3)


def test_names_carry_settings() -> None:
    known = Registry("verifier", "-", {"ensemble": "reasoner.verifiers.ensemble:Ensemble"})
    made = known.make(
        "ensemble(members=('verdict(aggregate=\"min\")', 'confidence'), weights=(2, 1))"
    )
    assert made.inner == (Verdict("min"), Confidence())


@pytest.mark.parametrize(
    ("settings", "trouble"),
    [
        ("members=('verdikt',)", "no verifier named 'verdikt'"),
        ("members=()", "members"),
        ("weights=(1,)", "1 weights for 2 members"),
        ("weights=(0, 0)", "zero"),
        ("weights=(-1, 2)", "weights="),
        ("combine='min', weights=(1, 1)", "no weights"),
        ("combine='max'", "combine"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings: str, trouble: str) -> None:
    known = Registry("verifier", "-", {"ensemble": "reasoner.verifiers.ensemble:Ensemble"})
    with pytest.raises(ConfigError, match=trouble):
        known.make(f"ensemble({settings})")


def test_batch_equals_single() -> None:
    class Lengths(Given):
        async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
            self.scores = tuple(len(c.text) / 10 for c in candidates)
            return await super().score(problem, candidates)

    batch = [said("a"), said("abc"), said("ab")]
    for combine in ("mean", "product", "min"):
        verifier = Ensemble((Lengths(inf), Given(0.7)), combine)
        assert values(verifier, *batch) == [v for c in batch for v in values(verifier, c)]
    assert values(Ensemble(TWO)) == []


def example(page: str) -> str:
    """The Python on a page of the documentation."""
    text = (ROOT / "docs" / "verifiers" / f"{page}.md").read_text()
    return text.partition("```python\n")[2].partition("```")[0]


def test_the_example_of_the_page() -> None:
    found: dict[str, Ensemble] = {}
    exec(example("ensemble"), found)
    assert found["verifier"].traits.logprobs
