"""Slots go to the highest claim, and none is lost."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from reasoner.turns import Turn, Turns, next_turn


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_highest_claim_goes_first_and_equal_ones_in_their_order() -> None:
    turns, order = Turns(1), list[str]()

    async def job(name: str, claim: float) -> None:
        turn = Turn(turns)
        await turn.begin(claim)
        order.append(name)
        turn.end()

    await turns.take(0)
    async with asyncio.TaskGroup() as group:
        for name, claim in (("low", 0.1), ("high", 0.9), ("high too", 0.9), ("middle", 0.5)):
            group.create_task(job(name, claim))
        await settle()
        assert not order
        turns.give_back()
    assert order == ["high", "high too", "middle", "low"]


async def test_a_job_lends_its_slot_to_one_that_has_not_begun() -> None:
    turns, order = Turns(1), list[str]()

    async def job(name: str) -> None:
        turn = Turn(turns)
        await turn.begin()
        turn.enter()
        order.append(f"{name} begins")
        await settle()
        await next_turn(0.5)
        order.append(f"{name} goes on")
        turn.end()

    await asyncio.gather(job("a"), job("b"))
    assert order == ["a begins", "b begins", "a goes on", "b goes on"]


async def test_a_job_that_is_alone_does_not_wait() -> None:
    done, _ = await asyncio.wait([asyncio.create_task(next_turn(0.0))], timeout=1)
    assert done


@pytest.mark.parametrize("seed", range(20))
async def test_cancelled_jobs_lose_no_slot_and_make_none(seed: int) -> None:
    rng, turns, live = Random(seed), Turns(3), set[int]()

    async def job(number: int) -> None:
        turn = Turn(turns)
        try:
            await turn.begin(rng.random())
            for _ in range(3):
                live.add(number)
                assert len(live) <= 3
                await asyncio.sleep(0)
                live.discard(number)
                await turn.renew(rng.random())
        finally:
            live.discard(number)
            turn.end()

    tasks = [asyncio.create_task(job(i)) for i in range(12)]
    for task in rng.sample(tasks, 6):
        await asyncio.sleep(0)
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert not [e for e in ended if isinstance(e, AssertionError)]
    async with asyncio.timeout(1):
        for _ in range(3):
            await turns.take(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await turns.take(0)
