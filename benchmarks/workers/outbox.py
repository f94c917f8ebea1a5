"""A worker's side of the journal: calls on their way to the driver, and searches that wait for them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence

from reasoner.benchmarks.store.call_log import StoredCall
from reasoner.benchmarks.store.engine_throughput import CallTime, EngineUse
from reasoner.benchmarks.workers.messages import WorkerReport
from reasoner.concurrency import settled

LINGER = 0.04
"""The share of a step's seconds for which a report waits for more calls: a driver of many engines has less to do."""
SMOOTHING = 0.1
"""The weight of the latest step in the mean."""


class Outbox:
    """Collects the next report. `acknowledge` tells that the last one is stored.

    A `step` of a search is the time from the answer of a call to the end of the next.
    """

    def __init__(self, linger: float = LINGER) -> None:
        self._linger, self._step = linger, 0.0
        self.report = WorkerReport()
        self._sent = list[RemoteJournal]()
        self._filled = asyncio.Event()
        self._journals = list[RemoteJournal]()

    def fill(self) -> None:
        """Have the report returned soon."""
        self._filled.set()

    def add(self, journal: RemoteJournal, call: StoredCall) -> None:
        """Put a call into the report."""
        self.report.calls.append((journal.number, call))
        self._journals.append(journal)
        self.fill()

    def count_step(self, seconds: float) -> None:
        """Enter the time of a step into their mean."""
        self._step += SMOOTHING * (seconds - self._step)

    async def take(self) -> WorkerReport:
        """Return the report, shortly after there is something in it."""
        await self._filled.wait()
        if self._step:
            await asyncio.sleep(self._linger * self._step)
        report, self.report = self.report, WorkerReport()
        self._sent, self._journals = self._journals, []
        self._filled.clear()
        return report

    def acknowledge(self) -> None:
        """Let the searches go on whose calls were in the last report."""
        sent, self._sent = self._sent, []
        for journal in sent:
            journal.acknowledge()


class RemoteJournal:
    """The finished calls of one problem, of which the driver keeps the copy that counts.

    Searches go on in the order in which their calls ended, a turn of the event loop at a time, as if each
    call had been stored at once: so a search takes the course that it takes without a driver.
    """

    def __init__(self, number: int, earlier: Sequence[StoredCall], outbox: Outbox) -> None:
        self.number = number
        self._stored = {call.name: call for call in earlier}
        self._outbox = outbox
        self._waiting = deque[tuple[StoredCall, asyncio.Future[None] | None]]()
        self._acknowledged = 0
        self._answered = time.monotonic()
        self._releasing: asyncio.Task[None] | None = None

    def earlier(self) -> Sequence[StoredCall]:
        """Return the calls that are stored, in the order of their ends."""
        return list(self._stored.values())

    async def keep(self, call: StoredCall) -> None:
        """Return once the driver has stored a call."""
        self._outbox.count_step(time.monotonic() - self._answered)
        stored = asyncio.get_running_loop().create_future()
        self._send(call, stored)
        await stored

    def enter(self, call: StoredCall) -> None:
        """Have the driver store a call, without waiting for it."""
        self._send(call, None)

    def acknowledge(self) -> None:
        """Count one more call as stored, the oldest that was not."""
        self._acknowledged += 1
        if self._releasing is None:
            self._releasing = asyncio.create_task(self._release())

    def _send(self, call: StoredCall, stored: asyncio.Future[None] | None) -> None:
        self._waiting.append((call, stored))
        self._outbox.add(self, call)

    async def _release(self) -> None:
        while self._acknowledged:
            turn = self._waiting[0][0].turn
            while self._acknowledged and self._waiting[0][0].turn == turn:
                self._release_first()
            await settled()
        self._releasing = None

    def _release_first(self) -> None:
        self._acknowledged -= 1
        call, stored = self._waiting.popleft()
        self._stored.pop(call.name, None)  # A call that is asked again counts as the latest.
        self._stored[call.name] = call
        self._answered = time.monotonic()
        if stored and not stored.done():
            stored.set_result(None)


class ReportedUse(EngineUse):
    """Puts the times of calls into the report."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox

    def enter(self, calls: Iterable[CallTime]) -> None:
        """Put the calls of a run that ended just now into the report."""
        self._outbox.report.times.extend(calls)
