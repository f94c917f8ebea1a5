"""Turns: which of many jobs goes on next, where not all can at once."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from heapq import heappop, heappush
from itertools import count
from math import inf

_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)
"""The turn of the job under way; tasks that a job starts have the same one."""


class Turns:
    """A number of slots, given to the highest claim first, and among equal ones to the first that came."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting = list[tuple[float, int, asyncio.Future[None]]]()
        self._arrivals = count()

    async def take(self, claim: float) -> None:
        """Wait for a slot."""
        if self._free:
            self._free -= 1
            return
        granted = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (-claim, next(self._arrivals), granted))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """Hand a slot on to the highest claim."""
        while self._waiting:
            *_, granted = heappop(self._waiting)
            if not granted.done():
                granted.set_result(None)
                return
        self._free += 1


class Turn:
    """The slot of one job, which it may lend to others between two pieces of its work."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self._held = turns, False

    async def begin(self, claim: float = inf) -> None:
        """Wait for a slot. Jobs that have not begun go before all others."""
        await self._turns.take(claim)
        self._held = True

    def enter(self) -> None:
        """Make it the turn of the job under way, which is an asyncio task of its own."""
        _turn.set(self)

    async def renew(self, claim: float) -> None:
        """Lend the slot to whoever has a higher claim, and wait for one."""
        self.end()
        await self.begin(claim)

    def end(self) -> None:
        """Hand the slot on."""
        if self._held:
            self._held = False
            self._turns.give_back()


async def next_turn(claim: float) -> None:
    """Have the job under way wait while others have higher claims; a job that is alone goes on."""
    if turn := _turn.get():
        await turn.renew(claim)
