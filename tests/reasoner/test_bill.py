"""A call that fails is charged what its requests had cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.bill import add_to_bill, billed
from reasoner.budget import Ledger
from reasoner.concurrency import gather
from reasoner.errors import BackendError, ConfigError
from reasoner.events import Stopped
from reasoner.search.best_of_n import BestOfN
from reasoner.solving import solve
from reasoner.types import Candidate, Generation, Judgement, Problem, Prompt, Sampling, Usage
from reasoner.verifiers.ensemble import Ensemble
from reasoner.verifiers.judge import Judge

PROBLEM = Problem("p", "1+2")
PAID = Usage(1, 10, 0, 5)


async def request(cost: Usage, error: Exception | None = None) -> Judgement:
    """Cost something, and fail if there is an error."""
    if error:
        raise error
    return Judgement((), cost)


@pytest.mark.parametrize(("least", "requests"), [(Usage(1, 3), 1), (Usage(), 2)])
async def test_a_failed_call_is_charged_its_bill(least: Usage, requests: int) -> None:
    ledger = Ledger()

    async def call() -> None:
        async with ledger.reserve("generator", lambda *_: (None, Usage(9, 99, 0, 99)), least):
            parts = [billed(request(PAID)), billed(request(PAID))]
            await gather([*parts, billed(request(PAID, BackendError("cut")))])

    with pytest.raises(BackendError):
        await call()
    assert ledger.spent == Usage(requests, 20, 0, 10)


async def test_a_call_that_succeeds_is_charged_its_own_usage() -> None:
    ledger = Ledger()
    async with ledger.reserve("generator", lambda *_: (None, Usage())) as hold:
        hold.usage = (await billed(request(PAID))).usage
    assert ledger.spent == PAID


async def test_the_parts_of_a_part_count_once() -> None:
    async def nested() -> Judgement:
        await billed(request(PAID))
        return Judgement((), PAID)

    ledger, lost = Ledger(), list[Usage]()

    async def call() -> None:
        async with ledger.reserve("verifier", lambda *_: (None, Usage())):
            await billed(nested())
            add_to_bill(Usage(1, 1, 0, 1))
            await billed(request(PAID, BackendError("cut")), lost.append)

    with pytest.raises(BackendError):
        await call()
    assert (ledger.spent, lost) == (Usage(2, 11, 0, 6), [Usage()])


@dataclass(frozen=True)
class Unable:
    """A verifier that fails when it scores."""

    error: Exception

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Nothing."""
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Fail."""
        raise self.error


async def test_an_error_after_paid_calls_is_a_result_with_what_they_cost() -> None:
    result = await solve(PROBLEM, BestOfN(n=3), Scripted(), Unable(ConfigError("no scores")))
    assert (result.stopped, result.error) == (Stopped.ERROR, "no scores")
    assert result.usage.completion_tokens == sum(s.candidate.tokens for s in result.candidates) > 0


async def test_an_unforeseen_error_shows_what_was_spent() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        await solve(PROBLEM, BestOfN(n=3), Scripted(), Unable(ZeroDivisionError()))
    assert "had spent Usage(requests=1" in raised.value.__notes__[0]


async def test_a_rule_for_answers_that_fails_keeps_the_cost() -> None:
    def extract(_: str) -> str:
        raise ValueError("no answer")

    result = await solve(
        PROBLEM, BestOfN(n=3), Scripted(), Judge(model=Scripted()), extract=extract, raising=False
    )
    assert result.error == "ValueError: no answer" and result.usage.completion_tokens > 0


async def test_a_judge_whose_model_fails_half_way_is_charged_the_half() -> None:
    class Failing(Scripted):
        """A model that fails from the second question on."""

        times = 0

        async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
            """Answer once."""
            self.times += 1
            if self.times > 1:
                raise BackendError("overloaded")
            return await super().generate(prompt, sampling)

    judge = Judge(model=Failing())
    result = await solve(PROBLEM, BestOfN(n=3), Scripted(), Ensemble((judge, judge)))
    assert result.error == "overloaded"
    assert result.verifier.requests == 1 and result.verifier.completion_tokens > 0
