"""What every strategy must keep to."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted
from reasoner.budget import Budget
from reasoner.events import Result, Stopped
from reasoner.registry import strategies
from reasoner.solving import solve
from reasoner.types import Finish, Problem, Sampling
from reasoner.verifiers.verdict import Verdict

NAMES = strategies.names()
PROBLEM = Problem("p", "12+30+41+5")
SAMPLING = Sampling(stop=("\n",), max_tokens=60)

every = pytest.mark.parametrize("name", NAMES)


def answer(solution: str) -> str | None:
    return solution.rpartition("#")[2].strip() if "#" in solution else None


async def search(
    name: str, backend: Scripted, budget: Budget = Budget(), seed: int = 0, n: int = 8
) -> Result:
    strategy = strategies.make(name, n=n)
    return await solve(
        PROBLEM, strategy, backend, Verdict(),
        budget=budget, sampling=SAMPLING, extract=answer, seed=seed,
    )  # fmt: skip


@every
async def test_ends_on_eos_and_answers(name: str) -> None:
    result = await search(name, Scripted(delay=0))
    assert result.stopped is Stopped.DONE
    assert result.answer == "88"
    assert result.candidate is not None
    assert result.candidate.completions[-1].finish is Finish.EOS


ceilings = st.fixed_dictionaries(
    {
        "tokens": st.none() | st.integers(1, 400),
        "flops": st.none() | st.floats(1e3, 3e6),
        "requests": st.none() | st.integers(1, 12),
    }
)


@every
@settings(max_examples=25, deadline=None)
@given(ceilings=ceilings, seed=st.integers(0, 9))
def test_never_exceeds_a_budget_and_counts_like_the_backend(
    name: str, ceilings: dict[str, float | None], seed: int
) -> None:
    backend, budget = Scripted(), Budget(**ceilings)  # type: ignore[arg-type]
    result = asyncio.run(search(name, backend, budget, seed))
    assert result.usage == backend.usage
    assert budget.tokens is None or result.usage.completion_tokens <= budget.tokens
    assert budget.flops is None or result.usage.flops <= budget.flops
    assert budget.requests is None or result.usage.requests <= budget.requests
    decoded = sum(len(n.completion.token_ids) for n in result.trace if n.completion)
    assert decoded == result.usage.completion_tokens
    if result.candidates:
        assert result.candidate is not None and result.candidate.complete


@every
async def test_budget_is_used_up(name: str) -> None:
    """A worst case far above what is spent must not leave most of the budget idle."""
    result = await search(name, Scripted(), Budget(tokens=150), n=64)
    assert name == "greedy" or result.usage.completion_tokens >= 140


@every
async def test_a_budget_far_too_small_for_the_width_still_gives_a_finished_answer(
    name: str,
) -> None:
    result = await search(name, Scripted(), Budget(tokens=150), n=64)
    assert result.candidate is not None and result.candidate.complete


@every
async def test_same_seed_same_tree_whatever_the_delay(name: str) -> None:
    first, again = await search(name, Scripted()), await search(name, Scripted(delay=0.001))
    assert first.trace.to_json() == again.trace.to_json()
    other = await search(name, Scripted(), seed=1)
    assert name == "greedy" or first.trace.to_json() != other.trace.to_json()


@every
@pytest.mark.parametrize("fail_every", [1, 3])
async def test_survives_a_failing_request(name: str, fail_every: int) -> None:
    backend = Scripted(fail_every=fail_every)
    result = await search(name, backend)
    assert result.usage == backend.usage
    assert backend.running == 0
    if backend.usage.requests >= fail_every:
        assert result.stopped is Stopped.ERROR
        assert result.error == f"scripted failure of request {fail_every}"


@every
async def test_deadline_cancels_what_is_in_flight(name: str) -> None:
    backend, start = Scripted(delay=30), time.monotonic()
    result = await search(name, backend, Budget(seconds=0.05))
    assert result.stopped is Stopped.BUDGET
    assert time.monotonic() - start < 1
    assert backend.running == 0


@every
async def test_cancelling_leaves_nothing_running(name: str) -> None:
    backend = Scripted(delay=30)
    task = asyncio.create_task(search(name, backend))
    await asyncio.sleep(0.02)
    assert backend.running
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert backend.running == 0
    assert len(asyncio.all_tasks()) == 1


@every
async def test_one_wide_still_answers(name: str) -> None:
    result = await search(name, Scripted(), n=1)
    assert result.candidate is not None


class Uneven(Scripted):
    """Its third request takes for ever."""

    async def _wait(self) -> None:
        if self.usage.requests == 3:
            await asyncio.sleep(60)
        await super()._wait()


@pytest.mark.parametrize("name", ["majority", "best-of-n", "weighted"])
async def test_deadline_keeps_what_had_finished(name: str) -> None:
    result = await search(name, Uneven(), Budget(seconds=0.2))
    assert result.stopped is Stopped.BUDGET
    assert result.answer is not None
