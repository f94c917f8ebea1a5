"""Calls of two kinds never meet in the engine, and none waits for ever."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from reasoner.backends.exclusive_batches import ExclusiveBatches


class Engine:
    """Remembers who went in, and refuses to have two kinds inside."""

    def __init__(self) -> None:
        self.turns, self.inside, self.order = ExclusiveBatches(), Counter[str](), list[str]()
        self.most = 0

    async def call(self, kind: str, seconds: float = 0.0) -> None:
        async with self.turns.take(kind):
            self.inside[kind] += 1
            self.order.append(kind)
            self.most = max(self.most, self.inside.total())
            try:
                assert len({k for k, n in self.inside.items() if k and n}) <= 1
                await asyncio.sleep(seconds)
            finally:
                self.inside[kind] -= 1


async def test_kinds_do_not_meet_and_calls_of_a_kind_go_together() -> None:
    engine = Engine()
    await asyncio.gather(*[engine.call(kind, 0.001) for kind in "aaabbbaab" * 5])
    assert engine.order == list("aaabbbaab" * 5)
    assert engine.most >= 3


async def test_who_waits_is_not_passed_by_who_comes_later() -> None:
    engine = Engine()
    first = asyncio.create_task(engine.call("a", 0.01))
    await asyncio.sleep(0)
    later = [asyncio.create_task(engine.call(kind)) for kind in "ba"]
    await asyncio.gather(first, *later)
    assert engine.order == ["a", "b", "a"]


async def test_other_calls_never_wait() -> None:
    engine = Engine()
    held = asyncio.create_task(engine.call("a", 30))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(engine.call("b"))
    await asyncio.wait_for(engine.call(""), 1)
    assert engine.order == ["a", ""]
    assert not held.done() and not waiting.done()
    held.cancel()
    await asyncio.wait_for(waiting, 1)
    assert engine.order == ["a", "", "b"]


async def test_a_cancelled_wait_leaves_the_door_open() -> None:
    engine = Engine()
    held = asyncio.create_task(engine.call("a", 0.01))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(engine.call("b"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(engine.call("b"), 1)
    await held
    assert engine.order == ["a", "b"]
