"""Every verifier keeps to what every verifier must keep to, and the suite finds one that does not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from reasoner.backends.scripted import END
from reasoner.base import Verifier
from reasoner.models.value_tokens import VALUE
from reasoner.testing.verifiers import (
    LATE,
    PROBLEM,
    Subject,
    VerifierConformance,
    opinion,
    samples,
    verifier_conformance,
)
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Score,
    Usage,
)
from reasoner.verifiers.critic import Critic
from reasoner.verifiers.genrm import GenRM
from reasoner.verifiers.genselect import GenSelect
from reasoner.verifiers.judge import Judge
from reasoner.verifiers.label_token import LabelToken
from reasoner.verifiers.oracle import Oracle
from reasoner.verifiers.tournament import Tournament
from reasoner.verifiers.value_head import ValueHead
from tests.unshrunk import unshrunk


def oracle() -> Oracle:
    return Oracle(lambda _, solution: solution.endswith("#88"))


def verdict_judge() -> Judge:
    return Judge(asks="verdict", votes=3)


def round_robin() -> Tournament:
    return Tournament(form="round-robin", votes=2)


def swiss() -> Tournament:
    return Tournament(form="swiss", asks="ratings", ends=20, votes=2)


def small_windows() -> GenSelect:
    return GenSelect(window=3, votes=2)


def direct() -> GenRM:
    return GenRM(chain_of_thought=False)


def first_error() -> Critic:
    return Critic(asks="first-error", aggregate="prod", votes=2)


def label_token() -> LabelToken:
    return LabelToken(good="Yes", bad="No", separator="\n", aggregate="prod")


def value_head() -> ValueHead:
    return ValueHead(separator="#")


def valued(_: Prompt, rng: random.Random) -> str:
    """One of the tokens of a value head, mostly."""
    return rng.choice([*VALUE, *VALUE, "Hm."]) + END


GENERATIVE: list[Callable[[], Verifier]] = [
    Judge,
    verdict_judge,
    Tournament,
    round_robin,
    swiss,
    small_windows,
    GenRM,
    direct,
    Critic,
    first_error,
]

TestFree = verifier_conformance("verdict", "confidence", oracle)
TestGenerative = verifier_conformance(*GENERATIVE, GenSelect)
TestLabelToken = verifier_conformance(label_token)
TestValueHead = verifier_conformance(value_head, reply=valued)


@dataclass(frozen=True)
class Length:
    """Scores by length: what the rule breakers below start from."""

    limit: int = 100

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        return Judgement(tuple(Score(len(c.text) / self.limit) for c in candidates))


TestOwn = verifier_conformance(
    lambda: Length(1_000_000),
    problem=Problem("words", "Say something."),
    candidates=[
        Candidate((Completion(text, tuple(map(ord, text)), Finish.EOS),), complete=True)
        for text in ("something", "something else")
    ],
)


class Loud(Length):
    """Knows no upper bound."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        return Judgement(tuple(Score(1.0 + len(c.text)) for c in candidates))


class Sorting(Length):
    """Loses the order."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        told = await super().score(problem, candidates)
        return Judgement(tuple(sorted(told.scores, key=lambda s: s.value)))


class Relative(Length):
    """Depends on the batch, and does not say so."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        longest = max((len(c.text) for c in candidates), default=0)
        return Judgement(tuple(Score(len(c.text) / (longest or 1)) for c in candidates))


class Welcoming(Length):
    """Has a score for nobody."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        return Judgement((await super().score(problem, candidates)).scores, Usage(1))


class Choking(Length):
    """Fails on long text with an error that tells nothing."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        assert all(len(c.text) < 1000 for c in candidates)
        return await super().score(problem, candidates)


class Cheap(Judge):
    """Promises to cost nothing."""

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        return Usage()


class Secretive(Judge):
    """Keeps its cost to itself."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        return replace(await super().score(problem, candidates), usage=Usage())


class Proud(Judge):
    """Does not tell that its verdicts were malformed."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        return replace(await super().score(problem, candidates), malformed=0)


class Grouping(Judge):
    """Lets its author find out what an exception group is."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(super().score(problem, candidates))
        return task.result()


class Untidy(Judge):
    """Leaves a call behind when it is cancelled."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        left = asyncio.create_task(self.asked.generate(Prompt(problem), Sampling()))
        told = await super().score(problem, candidates)
        await left
        return told


class Deaf(Judge):
    """Goes on after it was cancelled."""

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        try:
            return await super().score(problem, candidates)
        except asyncio.CancelledError:
            await asyncio.sleep(LATE + 0.5)
            raise


def subject(make: Any) -> Subject:
    return Subject(make, PROBLEM, tuple(samples(PROBLEM)), opinion, 1e-6)


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        ("test_is_a_verifier", object),
        ("test_gives_each_candidate_a_score_from_0_to_1", Loud),
        ("test_keeps_the_order_and_a_batch_equals_single", Sorting),
        ("test_keeps_the_order_and_a_batch_equals_single", Relative),
        ("test_no_candidates_no_scores", Welcoming),
        ("test_an_overlong_candidate_is_scored_or_refused", Length),
        ("test_an_overlong_candidate_is_scored_or_refused", Choking),
        ("test_estimates_at_least_what_it_reports", Cheap),
        ("test_reports_what_the_model_was_asked", Secretive),
        ("test_a_search_with_it_never_exceeds_a_budget", Cheap),
        ("test_a_search_with_it_never_exceeds_a_budget", Secretive),
        ("test_nonsense_is_survived_and_counted", Proud),
        ("test_a_failing_request_is_raised_as_it_is", Grouping),
        ("test_cancelling_leaves_nothing_running", Untidy),
        ("test_cancelling_leaves_nothing_running", Deaf),
        ("test_a_deadline_ends_the_search_while_it_judges", Deaf),
    ],
)
def test_the_suite_finds_who_breaks_a_rule(
    rule: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = unshrunk(VerifierConformance, rule, monkeypatch)
    with pytest.raises((AssertionError, ExceptionGroup)):
        test(subject(make))


@pytest.mark.parametrize("make", GENERATIVE)
def test_every_built_in_verifier_can_read_the_replies_of_the_suite(make: Any) -> None:
    told = subject(make).judge(samples(PROBLEM))
    assert told.malformed > 0
    assert len(set(told.scores)) > 2


@pytest.mark.parametrize("make", [*GENERATIVE, label_token, Length])
def test_a_verifier_that_asks_a_model_is_known_by_it(make: Any) -> None:
    assert isinstance(make(), Verifier)
    assert subject(make).needs_model == (make is not Length)
