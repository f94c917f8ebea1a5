"""Calls that run at once, and the one exception that tells why they failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

from reasoner.errors import BudgetExhausted

T = TypeVar("T")


async def unwrapped(call: Awaitable[T]) -> T:
    """The result of `call`; of a group of exceptions, the one that matters is raised."""
    try:
        return await call
    except BaseExceptionGroup as group:
        raise _cause(group) from None


def _cause(error: BaseException) -> BaseException:
    """The first exception of a group; running out of budget yields to any other."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_cause(e) for e in error.exceptions]
    return next((c for c in causes if not isinstance(c, BudgetExhausted)), causes[0])


async def gather(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; the first failure cancels the rest and is raised itself."""

    async def group() -> list[T]:
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(c) for c in calls]
        return [t.result() for t in started]

    return await unwrapped(group())
