"""Scores of the built-in verifiers, and the admission of those that cost."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.budget import Budget
from reasoner.errors import ConfigError
from reasoner.events import Stopped
from reasoner.search import BestOfN
from reasoner.solving import solve
from reasoner.types import Candidate, Completion, Finish, Judgement, Problem, Score, Usage
from reasoner.verifiers.common.aggregation import doubts
from reasoner.verifiers.confidence import Confidence
from reasoner.verifiers.oracle import Oracle
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "1+2+3+4")


def candidate(*verdicts: float, logprob: float | None = -2.0) -> Candidate:
    return Candidate((Completion("ab", (1, 2), Finish.EOS, logprob, verdicts),), True)


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("doubts", 2 / 3), ("last", 0.8), ("min", 0.75), ("prod", 0.6), ("mean", 0.775)],
)
async def test_verdict(aggregate: str, value: float) -> None:
    verifier = Verdict(aggregate)  # type: ignore[arg-type]
    [score] = (await verifier.score(PROBLEM, [candidate(0.75, 0.8)])).scores
    assert score.value == pytest.approx(value)
    assert score.steps == (0.75, 0.8)


def test_a_doubt_is_held_against_every_later_step() -> None:
    def odds(*steps: float) -> float:
        value = doubts([1 / (1 + exp(-s)) for s in steps])
        return log(value / (1 - value))

    assert odds(-3.0) == pytest.approx(-3)
    assert odds(-3.0, 2.0) == pytest.approx(-1)
    assert odds(5.0, -1.0, 1.5) == pytest.approx(0.5)
    assert odds(-3.0, -3.0, 2.0) == pytest.approx(-4)
    assert doubts([0.0] * 40 + [1.0]) == pytest.approx(0)


def test_candidates_that_nothing_speaks_against_are_taken_alike() -> None:
    assert doubts([0.9, 0.8]) == doubts([0.6, 0.99]) == pytest.approx(2 / 3)
    assert doubts([0.9, 0.8]) > doubts([0.4, 0.6])


async def test_verdict_needs_verdicts() -> None:
    with pytest.raises(ConfigError, match="no verdict tokens"):
        await Verdict().score(PROBLEM, [candidate()])


async def test_confidence() -> None:
    [score] = (await Confidence().score(PROBLEM, [candidate()])).scores
    assert score.value == pytest.approx(exp(-1))
    with pytest.raises(ConfigError, match="log-probabilities"):
        await Confidence().score(PROBLEM, [candidate(logprob=None)])


async def test_oracle_marks_its_results() -> None:
    verifier = Oracle(lambda _, solution: solution.endswith("#10"))
    result = await solve(PROBLEM, BestOfN(), Scripted(), verifier)
    assert result.oracle and result.answer == "10"
    assert not (await solve(PROBLEM, BestOfN(), Scripted(), Verdict())).oracle


class Costly:
    """Ten tokens per candidate."""

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        return Usage(len(candidates), 0, 0, 10 * len(candidates))

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        scores = tuple(Score(1.0 if c.text.endswith("#10") else 0.0) for c in candidates)
        return Judgement(scores, self.estimate(problem, candidates))


async def test_a_verifier_is_admitted_too() -> None:
    free = await solve(PROBLEM, BestOfN(n=8), Scripted(), Costly())
    assert free.verifier == Usage(8, 0, 0, 80)
    budget = Budget(tokens=free.generator.completion_tokens + 35)
    tight = await solve(PROBLEM, BestOfN(n=8), Scripted(), Costly(), budget=budget)
    assert tight.stopped is Stopped.BUDGET
    assert tight.answer is not None
    assert tight.usage.completion_tokens <= (budget.tokens or 0)
