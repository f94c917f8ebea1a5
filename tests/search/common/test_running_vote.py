"""A poll is `vote`, kept up to date."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import aclosing
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted
from reasoner.budget import Budget, Ledger
from reasoner.errors import BackendError, BudgetExhausted
from reasoner.run import Run
from reasoner.search.common.running_vote import Poll, samples
from reasoner.search.common.voting import vote
from reasoner.trace import Node
from reasoner.types import Completion, Finish, Problem


def empty() -> Run:
    return Run(Problem("p", "?"), Scripted(), None, Ledger(), extract=lambda text: text or None)


def ended(run: Run, answer: str, finish: Finish = Finish.EOS) -> Node:
    return run.trace.add(run.trace.root, Completion(answer, (1,), finish))


ballots = st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.integers(0, 3)), min_size=1)


@given(ballots=ballots, scored=st.booleans())
def test_it_chooses_what_vote_chooses_after_every_sample(
    ballots: list[tuple[str, int]], scored: bool
) -> None:
    run, rng = empty(), random.Random(0)
    weights = dict[int, float]()
    poll = Poll(run, lambda node: weights[node.id])
    for answer, weight in ballots:
        node = ended(run, answer)
        weights[node.id] = float(weight)
        node.score = rng.choice([0.1, 0.2]) if scored else None
        assert poll.add(node) == (answer or None)
        assert poll.chosen() is vote(run, run.trace.finished, lambda node: weights[node.id])


@given(ballots=ballots)
def test_it_knows_how_far_the_leader_is_ahead(ballots: list[tuple[str, int]]) -> None:
    run = empty()
    poll, counts = Poll(run), dict[str, int]()
    for answer, _ in ballots:
        poll.add(ended(run, answer))
        if answer:
            counts[answer] = counts.get(answer, 0) + 1
    first, second, *_ = *sorted(counts.values(), reverse=True), 0, 0
    assert poll.lead == (first, second)
    assert poll.total == sum(counts.values()) and poll.size == len(ballots)


def test_what_was_cut_off_has_no_vote() -> None:
    run = empty()
    poll = Poll(run)
    for finish in (Finish.LENGTH, Finish.ABORTED):
        assert poll.add(ended(run, "a", finish)) is None
    whole = ended(run, "b")
    poll.add(whole)
    assert poll.chosen() is whole and poll.lead == (1, 0)


def test_a_poll_without_a_sample_has_no_choice() -> None:
    with pytest.raises(BudgetExhausted):
        Poll(empty()).chosen()


async def test_of_failures_at_once_the_first_started_is_raised() -> None:
    started = count(1)

    async def fail() -> list[Node]:
        raise BackendError(f"failure of request {next(started)}")

    with pytest.raises(BackendError, match=r"request 1$"):
        await anext(samples(fail, lambda _: True, 20))


async def test_a_failure_cancels_what_still_runs() -> None:
    backend = Scripted(fail_every=2)
    run = Run(Problem("p", "1+2"), backend, None, Ledger())
    arriving = samples(lambda: run.expand([run.trace.root]), lambda _: True, 20)
    assert await anext(arriving)
    with pytest.raises(BackendError, match=r"request 2$"):
        await anext(arriving)
    assert backend.running == 0


async def test_closing_cancels_what_still_runs() -> None:
    backend = Scripted(delay=30)
    run = Run(Problem("p", "1+2"), backend, None, Ledger())
    async with aclosing(samples(lambda: run.expand([run.trace.root]), lambda _: True, 3)) as some:
        first = asyncio.create_task(anext(some))
        await asyncio.sleep(0.01)
        assert backend.running == 3
        first.cancel()
        await asyncio.wait([first])
    assert backend.running == 0


async def test_samples_end_with_the_budget() -> None:
    run = Run(Problem("p", "1+2"), Scripted(), None, Ledger(Budget(requests=5)))
    drawn = [n async for n in samples(lambda: run.expand([run.trace.root]), lambda _: True, 3)]
    assert len(drawn) == 5


async def test_samples_that_fail_together_leave_no_error_unread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors = iter([BudgetExhausted("spent"), BackendError("gone"), BackendError("gone too")])

    async def draw() -> list[Node]:
        raise next(errors)

    with pytest.raises(BackendError, match="gone"):
        await anext(samples(draw, lambda running: running < 3, parallel=3))
    await asyncio.sleep(0)
    gc.collect()
    assert not caplog.records
