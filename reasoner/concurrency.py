"""Concurrent calls, and the one exception that explains why they failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

from reasoner.errors import BudgetExhausted

T = TypeVar("T")

SETTLED = 32
"""Turns of the event loop after which a search has done all that it does with an answer.

A count, since asyncio has no public way to ask whether anything is still ready to run. An answer
passes from a future to the task that awaits it, to the group that gathers it and so on, one turn
each, and only then is it known what the search asks next. A strategy inside another adds a few turns.
A count that is too small could let two answers arrive together that first came one after the other, so
that the search takes another course; too large a one costs microseconds.
"""


async def settled() -> None:
    """Wait for `SETTLED` turns of the event loop.

    As many `sleep(0)` take ten times as long: each resumes every coroutine that waits for this one.
    """
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def turn(left: int) -> None:
        if done.cancelled():
            return
        if left:
            loop.call_soon(turn, left - 1)
        else:
            done.set_result(None)

    turn(SETTLED - 1)
    await done


async def unwrapped(call: Awaitable[T]) -> T:
    """Return the result of `call`; of a group of exceptions, raise the one that matters."""
    try:
        return await call
    except BaseExceptionGroup as group:
        raise _cause(group) from None


def _cause(error: BaseException) -> BaseException:
    """Return the first exception of a group that is not about the budget, or else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_cause(e) for e in error.exceptions]
    return next((c for c in causes if not isinstance(c, BudgetExhausted)), causes[0])


async def gather(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return all results in order; the first failure cancels the rest and is raised itself."""

    async def group() -> list[T]:
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(c) for c in calls]
        return [t.result() for t in started]

    return await unwrapped(group())
