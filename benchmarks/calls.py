"""The finished model calls of a problem under way, from which a killed run goes on."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any, TypeVar

from pydantic import TypeAdapter

from reasoner.benchmarks.database import Database
from reasoner.benchmarks.spec import Spec
from reasoner.clock import Clock

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds without a sign of the search after which it is not held to its earlier course any more."""

KEEP = "INSERT INTO calls (spec, problem, call, asked, seconds, answer) VALUES (?, ?, ?, ?, ?, ?)"
FIND = """
SELECT call, asked, seconds, answer FROM calls WHERE spec = ? AND problem = ? ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A finished call: how many calls had been asked by its end, after how many seconds, and its answer."""

    asked: int
    seconds: float
    answer: str


class Calls:
    """The calls of one attempt at a problem. What is finished is kept before the search sees it.

    A call that an earlier attempt finished is answered from there. Such answers come in the order in
    which they first came, each once the search has asked as many calls as it had then, so that a
    search whose course depends on which call ends first takes the same course again. New answers
    follow them. The `clock` is the attempt's; an earlier answer puts it forward to when it came.

    Raises:
        StoreError: a call cannot be kept.
    """

    def __init__(self, database: Database, spec: Spec, problem: str) -> None:
        self.clock = Clock()
        self._database, self._place = database, (spec.key, problem)
        self._found = {call: Found(*rest) for call, *rest in database.execute(FIND, *self._place)}
        self._due = deque(self._found)
        self._waiting = dict[str, asyncio.Future[None]]()
        self._equal = Counter[str]()
        self._asked = 0

    async def answer(
        self, kind: TypeAdapter[T], asked: object, ask: Callable[[], Awaitable[T]]
    ) -> T:
        """The answer of `kind` to what is `asked`: an earlier one, or else what `ask` gives."""
        call = self._named(asked)
        self._asked += 1
        if found := self._found.get(call):
            await self._turn(call)
            self.clock.forward(found.seconds)
            return kind.validate_python(json.loads(found.answer))
        if self._due:
            self._release()
        given = await ask()
        await self._turn(call)
        told = json.dumps(given, default=_parts)
        self._database.execute(KEEP, *self._place, call, self._asked, self.clock.elapsed, told)
        return given

    def _named(self, asked: object) -> str:
        """A name for a call that another attempt finds again; equal calls are numbered."""
        digest = blake2b(repr(asked).encode(), digest_size=12).hexdigest()
        self._equal[digest] += 1
        return f"{digest}-{self._equal[digest]}"

    async def _turn(self, call: str) -> None:
        """Wait until everything that was answered earlier is."""
        if not self._due:
            return
        turn = self._waiting[call] = asyncio.get_running_loop().create_future()
        self._release()
        while not turn.done():
            before = self._asked, len(self._due)
            await asyncio.wait([turn], timeout=PATIENCE)
            if before == (self._asked, len(self._due)):
                # The search took another course: its code has changed, or it waits for more than calls.
                self._due.clear()
                self._release()

    def _release(self) -> None:
        """Let go on whose turn it is."""
        while (
            self._due
            and self._due[0] in self._waiting
            and self._asked >= self._found[self._due[0]].asked
        ):
            _wake(self._waiting.pop(self._due.popleft()))
        if not self._due:
            while self._waiting:
                _wake(self._waiting.popitem()[1])


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _parts(told: Any) -> dict[str, Any]:
    """The fields of a dataclass, for JSON."""
    return {field.name: getattr(told, field.name) for field in fields(told)}
