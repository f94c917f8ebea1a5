"""The vote as a verifier, by hand and against the strategies that vote."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted
from reasoner.base import Verifier
from reasoner.budget import Budget
from reasoner.errors import ConfigError
from reasoner.events import Result
from reasoner.registry import Registry
from reasoner.run import Strategy
from reasoner.search import BestOfN, Majority, Weighted
from reasoner.solving import solve
from reasoner.types import Candidate, Completion, Finish, Judgement, Problem, Score, Usage
from reasoner.verifiers.agreement import Agreement, shares
from reasoner.verifiers.confidence import Confidence
from reasoner.verifiers.verdict import Verdict
from tests.verifiers.test_confidence import PROBLEM, patient, said, values

VOTES = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.floats(0, 1)), max_size=12)


class Given:
    """Scores as told, ten tokens each; `asked` counts how often it was asked."""

    def __init__(self, *scores: float) -> None:
        self.scores, self.asked = scores, 0

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        return Usage(len(candidates), 0, 0, 10 * len(candidates))

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        self.asked += 1
        told = (self.scores * len(candidates))[: len(candidates)]
        return Judgement(tuple(map(Score, told)), self.estimate(problem, candidates))


def test_shares_by_hand() -> None:
    batch = [said("so\n#1"), said("#2"), said("hm\n#1"), said("#1", complete=False), said("")]
    assert values(Agreement(), *batch) == [pytest.approx(2 / 3), pytest.approx(1 / 3), 2 / 3, 0, 0]
    assert values(Agreement(by=Given(0.1, 0.9, 0.2, 0.8, 0.8)), *batch) == [
        pytest.approx(0.25), pytest.approx(0.75), pytest.approx(0.25), 0, 0,
    ]  # fmt: skip


def test_where_nothing_speaks_for_any_the_votes_are_equal() -> None:
    assert values(Agreement(by=Given(0.0)), said("1"), said("2")) == [0.5, 0.5]


def test_the_answer_is_found_as_told() -> None:
    batch = [said("a=1;x"), said("a=1;y")]
    assert values(Agreement(), *batch) == [0.5, 0.5]
    assert values(Agreement(extract=lambda text: text[:3]), *batch) == [1.0, 1.0]


@patient
@given(VOTES)
def test_the_shares_of_the_answers_add_up_to_one(votes: list[tuple[str | None, float]]) -> None:
    answers, weights = [a for a, _ in votes], [w + 0.01 for _, w in votes]
    told = {a: s for a, s in zip(answers, shares(answers, weights), strict=True) if a}
    assert all(0 <= s <= 1 for s in told.values())
    assert not told or sum(told.values()) == pytest.approx(1)


@patient
@given(VOTES)
def test_the_order_of_the_batch_does_not_matter(votes: list[tuple[str | None, float]]) -> None:
    answers, weights = [a for a, _ in votes], [w + 0.01 for _, w in votes]
    assert shares(answers, weights) == shares(answers[::-1], weights[::-1])[::-1]


async def answered(strategy: Strategy, verifier: Verifier | None, seed: int) -> Result:
    return await solve(PROBLEM, strategy, Scripted(), verifier, seed=seed)


async def test_the_best_by_agreement_is_the_majority() -> None:
    for seed in range(20):
        vote = await answered(Majority(n=8), None, seed)
        best = await answered(BestOfN(n=8), Agreement(), seed)
        assert best.answer == vote.answer


async def test_the_best_by_weighted_agreement_is_the_weighted_vote() -> None:
    for seed in range(20):
        vote = await answered(Weighted(n=8), Verdict(), seed)
        best = await answered(BestOfN(n=8), Agreement(by="verdict"), seed)
        assert best.answer == vote.answer


async def test_who_weighs_is_paid_and_admitted() -> None:
    weigher = Given(0.5)
    result = await solve(PROBLEM, BestOfN(n=8), Scripted(), Agreement(by=weigher))
    assert result.verifier == Usage(8, 0, 0, 80)
    budget = Budget(tokens=result.generator.completion_tokens + 35)
    tight = await solve(PROBLEM, BestOfN(n=8), Scripted(), Agreement(by=weigher), budget=budget)
    assert tight.usage.completion_tokens <= (budget.tokens or 0)


async def test_it_asks_for_what_its_weigher_reads() -> None:
    assert (Agreement().traits.logprobs, Agreement(by=Confidence()).traits.logprobs) == (
        False,
        True,
    )
    result = await answered(BestOfN(n=4), Agreement(by="confidence"), 0)
    assert all(s.score for s in result.candidates)
    assert Agreement().traits.comparative


def test_a_wrong_name_is_refused_at_once() -> None:
    known = Registry("verifier", "-", {"agreement": "reasoner.verifiers.agreement:Agreement"})
    with pytest.raises(ConfigError, match="no verifier named 'verdikt'"):
        known.make("agreement(by='verdikt')")


def test_of_an_empty_batch_there_is_nothing_to_say() -> None:
    assert values(Agreement()) == values(Agreement(by=Given(1.0))) == []


def test_pieces_count_as_one_solution() -> None:
    pieces = (Completion("1+1\n", (1,), Finish.STOP), Completion("#2", (2,), Finish.EOS))
    assert values(Agreement(), Candidate(pieces, True), said("#2")) == [1.0, 1.0]
