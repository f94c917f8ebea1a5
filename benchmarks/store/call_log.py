"""The finished model calls of a problem under way, from which a killed run goes on."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import Spec
from reasoner.clock import Clock
from reasoner.concurrency import SETTLED
from reasoner.errors import BackendError
from reasoner.types import Usage

T = TypeVar("T")
USAGE = TypeAdapter(Usage)

PATIENCE = 10.0
"""Seconds without a sign of the search after which it is not held to its earlier course any more."""

LOST = "lost-"
"""The start of the name under which the cost of a failed call is stored; its role follows."""

UNREADABLE = (AttributeError, RecursionError, TypeError, ValueError)
"""Raised by writing and reading back what is no answer."""

KEEP = """
INSERT OR REPLACE INTO calls (key, problem, call, asked, turn, seconds, answer) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
FIND = """
SELECT call, asked, turn, seconds, answer FROM calls WHERE key = ? AND problem = ? ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A finished call and its answer.

    By its end so many calls had been `asked` and so many `seconds` had passed; answers of one `turn`
    came in one turn of the event loop.
    """

    name: str
    asked: int
    turn: int
    seconds: float
    answer: str


class Journal(Protocol):
    """The finished calls of one problem."""

    def earlier(self) -> Sequence[StoredCall]:
        """Return the calls of earlier attempts, in the order of their ends."""
        ...

    async def keep(self, call: StoredCall) -> None:
        """Return once a call is stored; calls that end in one turn are stored in one."""
        ...

    def enter(self, call: StoredCall) -> None:
        """Have a call stored for which no search waits."""
        ...


class ProblemJournal:
    """The finished calls of one problem in a database.

    Raises:
        StoreError: a call cannot be stored.
    """

    def __init__(self, database: Database, spec: Spec, problem: str) -> None:
        self._database, self._place = database, (spec.key, problem)

    def earlier(self) -> Sequence[StoredCall]:
        """Return the calls of earlier attempts, in the order of their ends."""
        return [StoredCall(*row) for row in self._database.execute(FIND, *self._place)]

    async def keep(self, call: StoredCall) -> None:
        """Store a call, without a turn of the event loop in between."""
        self.enter(call)

    def enter(self, call: StoredCall) -> None:
        """Store a call."""
        when = call.asked, call.turn, call.seconds
        self._database.execute(KEEP, *self._place, call.name, *when, call.answer)


class Calls:
    """The calls of one attempt at a problem. What is finished is kept before the search sees it.

    A call that an earlier attempt finished is answered from there. Such answers come as they first
    came: in that order, each once the search has asked as many calls as it had then, and done all it
    does with those before. So a search whose course depends on which call ends first takes the same
    course again. "Done all" is `SETTLED` turns of the event loop; why a count is said there. New
    answers follow them. The `clock` is the attempt's; an earlier answer puts it
    forward to when it came. `lost` is what failed calls of earlier attempts cost, by role: they have no
    answer to go on from, but were paid.

    Raises:
        StoreError: a call cannot be kept.
    """

    def __init__(self, journal: Journal) -> None:
        self.clock = Clock()
        self._journal = journal
        stored = {call.name: call for call in journal.earlier()}
        self._found = {call: found for call, found in stored.items() if not call.startswith(LOST)}
        self.lost = _lost({call: f for call, f in stored.items() if call.startswith(LOST)})
        self._losses = len(stored) - len(self._found)
        self._due = deque(self._found)
        self._waiting = dict[str, asyncio.Future[None]]()
        self._equal = Counter[str]()
        self._asked = self._turn = self._unsettled = 0
        self._turning = False

    async def answer(
        self, kind: TypeAdapter[T], request: object, ask: Callable[[], Awaitable[T]]
    ) -> T:
        """Return the answer of type `kind` to a request: an earlier one, or else that of `ask`.

        Raises:
            BackendError: the answer could not be read back if it were stored.
        """
        call = self._named(request)
        self._asked += 1
        if earlier := self._earlier(kind, call):
            stored, answer = earlier
            await self._wait(call)
            self.clock.forward(stored.seconds)
            return answer
        if self._due:
            self._release()
        reply = await ask()
        if self._due or self._unsettled:
            await self._wait(call)
        blob, answer = _readable(kind, reply)
        await self._keep(call, blob)
        return answer

    def lose(self, role: str, usage: Usage) -> None:
        """Store the cost of a failed call, which later attempts are charged too."""
        if usage != Usage():
            self._losses += 1
            name, blob = f"{LOST}{role}-{self._losses}", ENCODER.encode(usage)
            self._journal.enter(StoredCall(name, self._asked, 0, self.clock.elapsed, blob))

    def _earlier(self, kind: TypeAdapter[T], call: str) -> tuple[StoredCall, T] | None:
        """An earlier answer; one that cannot be read is forgotten, so that it is asked for again."""
        if (stored := self._found.get(call)) is None:
            return None
        try:
            return stored, kind.validate_json(stored.answer)
        except UNREADABLE:
            del self._found[call]
            if call in self._due:
                self._due.remove(call)
            return None

    def _named(self, request: object) -> str:
        """A name for a call that another attempt finds again; equal calls are numbered."""
        digest = blake2b(repr(request).encode(), digest_size=12).hexdigest()
        self._equal[digest] += 1
        return f"{digest}-{self._equal[digest]}"

    async def _keep(self, call: str, answer: str) -> None:
        if not self._turning:
            self._turn, self._turning = self._turn + 1, True
            asyncio.get_running_loop().call_soon(self._turned)
        await self._journal.keep(
            StoredCall(call, self._asked, self._turn, self.clock.elapsed, answer)
        )

    def _turned(self) -> None:
        self._turning = False

    async def _wait(self, call: str) -> None:
        """Wait for the call's turn."""
        loop = asyncio.get_running_loop()
        turn = self._waiting[call] = loop.create_future()
        loop.call_soon(self._release)  # Not at once: whoever asked before goes on before.
        while not turn.done():
            before = self._asked, len(self._due), self._unsettled
            await asyncio.wait([turn], timeout=PATIENCE)
            if before == (self._asked, len(self._due), self._unsettled):
                # The search took another course: its code has changed, or it depends on more than calls.
                self._due.clear()
                self._release()

    def _release(self) -> None:
        """Let go on whose turn it is."""
        while self._due and self._due[0] in self._waiting:
            stored = self._found[self._due[0]]
            if self._asked < stored.asked or (self._unsettled and stored.turn != self._turn):
                return
            self._turn = stored.turn
            _wake(self._waiting.pop(self._due.popleft()))
            self._unsettle()
        if not (self._due or self._unsettled):
            while self._waiting:
                _wake(self._waiting.pop(next(iter(self._waiting))))

    def _unsettle(self) -> None:
        if not self._unsettled:
            asyncio.get_running_loop().call_soon(self._settle)
        self._unsettled = SETTLED

    def _settle(self) -> None:
        self._unsettled -= 1
        if self._unsettled:
            asyncio.get_running_loop().call_soon(self._settle)
        else:
            self._release()


def _readable(kind: TypeAdapter[T], reply: T) -> tuple[str, T]:
    """An answer as it is kept, and as it is read back: a resumed search must see what this one sees."""
    try:
        blob = ENCODER.encode(reply)
        return blob, kind.validate_json(blob)
    except UNREADABLE as e:
        error = (
            e.errors(include_url=False, include_input=False)[0]
            if isinstance(e, ValidationError)
            else None
        )
        raise BackendError(
            f"an answer of the model cannot be kept: {error['msg'] if error else e}"
        ) from e


def _lost(stored: Mapping[str, StoredCall]) -> dict[str, Usage]:
    """Return the sum of the stored costs of each role; what cannot be read is left out."""
    costs = dict[str, Usage]()
    for call, found in stored.items():
        role = call.removeprefix(LOST).rpartition("-")[0]
        with suppress(*UNREADABLE):
            costs[role] = costs.get(role, Usage()) + USAGE.validate_json(found.answer)
    return costs


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _parts(parts: Any) -> dict[str, Any]:
    return {name: getattr(parts, name) for name in parts.__dataclass_fields__}


ENCODER = json.JSONEncoder(default=_parts, check_circular=False)
"""Dataclasses as objects, and infinite numbers as such, which pydantic's JSON has not."""
