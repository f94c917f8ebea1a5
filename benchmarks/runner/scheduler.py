"""Concurrent jobs on one engine, each tried again where the model fails."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from reasoner.backends.restarting import Restarting, silent
from reasoner.base import Backend
from reasoner.errors import AccessDenied, BackendError, ReasonerError, StoreError
from reasoner.turns import Turn, Turns

J = TypeVar("J")
T = TypeVar("T")
R = TypeVar("R")

TRIES = 3
PAUSE = 0.5
"""Seconds before the second try; twice as long before the third."""
HOPELESS = 8
LONGEST = 2000
"""The most characters of an error's message in a record."""


@dataclass(frozen=True, slots=True)
class JobOutcome(Generic[T]):
    """The result of a try, and why the model failed if it did, so that another try may help."""

    value: T
    trouble: str | None = None


@dataclass(slots=True)
class Tally:
    """The counts of finished and failed jobs of a session."""

    finished: int = 0
    failed: int = 0
    troubles: int = 0
    """Failed tries."""
    last: str = ""
    """The error of the latest of them."""

    def count(self, error: str | None) -> None:
        """Count one finished job; give up when nothing has ever worked.

        Raises:
            BackendError: so many tries failed and none succeeded that the rest is hopeless.
        """
        if error is None:
            self.finished += 1
            return
        self.failed += 1
        self.trouble(error)

    def trouble(self, error: str) -> None:
        """Count one failed try; raises as `count`."""
        self.troubles, self.last = self.troubles + 1, error
        if not self.finished and self.troubles >= HOPELESS:
            raise BackendError(error)

    def conclude(self, tell: Callable[[str], None]) -> None:
        """Tell in a line of the jobs that failed.

        Raises:
            BackendError: every job failed.
        """
        if self.failed and not self.finished:
            raise BackendError(self.last)
        if self.failed:
            tell(
                f"{self.failed} of {self.finished + self.failed} attempts failed and count as wrong, the last one:"
                f" {self.last}; the same command tries them again"
            )


class Scheduler:
    """Keeps `concurrency` jobs in flight on one engine, which is started again should it die.

    A job that waits for its next turn (see `turns`) is not in flight. It tells, a line each, of restarts and of what failed in the end.
    """

    def __init__(
        self, backend: Backend, concurrency: int, tell: Callable[[str], None] = silent
    ) -> None:
        self.engine = Restarting(backend, tell=tell)
        self.tally = Tally()
        self._concurrency, self._tell = concurrency, tell

    async def run(self, jobs: list[J], one: Callable[[J], Awaitable[str | None]]) -> Tally:
        """Do all jobs; `one` does one and tells why it failed if it did.

        Raises:
            BackendError: every job failed.
        """
        turns, tally = Turns(self._concurrency), self.tally

        async def begun(job: J, turn: Turn) -> None:
            turn.enter()
            try:
                tally.count(await one(job))
            finally:
                turn.end()

        try:
            async with asyncio.TaskGroup() as group:
                for job in jobs:
                    turn = Turn(turns)
                    await turn.begin()
                    group.create_task(begun(job, turn))
        except BaseExceptionGroup as e:
            raise first(e) from None
        tally.conclude(self._tell)
        return tally

    async def persist(
        self,
        attempt: Callable[[], Awaitable[JobOutcome[T]]],
        failed: Callable[[str], T],
        store: Callable[[T], R],
    ) -> R:
        """Store the result of `attempt`, and return what `store` does.

        There are up to `TRIES` tries; those in which the engine died do not count. An error concerns this
        job alone: the result that `failed` makes of it is stored. A model that could not answer is asked
        again.

        Raises:
            AccessDenied: the server refuses every job.
            StoreError: nothing can be stored.
            BackendError: the engine is lost, or nothing has ever worked.
        """
        value = await self._persist(attempt, failed)
        try:
            return store(value)
        except ReasonerError:
            raise
        except Exception as e:  # It holds a value that no table can.
            return store(failed(reason(e)))

    async def _persist(
        self, attempt: Callable[[], Awaitable[JobOutcome[T]]], failed: Callable[[str], T]
    ) -> T:
        tries = 0
        while True:
            restarts = self.engine.restarts
            outcome = await _once(attempt, failed)
            if outcome.trouble is None:
                self.engine.progressed()
                return outcome.value
            if self.engine.lost:
                raise BackendError(self.engine.lost)
            if self.engine.restarts > restarts:
                continue
            tries += 1
            if tries == TRIES:
                return outcome.value
            self.tally.trouble(outcome.trouble)
            await asyncio.sleep(PAUSE * 2 ** (tries - 1))


async def _once(
    attempt: Callable[[], Awaitable[JobOutcome[T]]], failed: Callable[[str], T]
) -> JobOutcome[T]:
    """Try once; only a model that could not answer is worth another try."""
    try:
        return await attempt()
    except (AccessDenied, StoreError):
        raise
    except BackendError as e:
        return JobOutcome(failed(reason(e)), reason(e))
    except Exception as e:
        return JobOutcome(failed(reason(e)))


def reason(error: Exception) -> str:
    """Return an error's message for a record; an unforeseen one with its file and line."""
    text = str(error)
    if not isinstance(error, ReasonerError):
        place = traceback.extract_tb(error.__traceback__)[-1:]
        where = "".join(f" ({Path(frame.filename).name}:{frame.lineno})" for frame in place)
        text = f"unforeseen {type(error).__name__}{where}: {text}"
    return text[:LONGEST].encode("utf-8", "backslashreplace").decode()


def first(error: BaseException) -> BaseException:
    """Return the first plain exception of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
