"""Many problems at once under a governor, each tried again where the model fails."""

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

J = TypeVar("J")
T = TypeVar("T")

TRIES = 3
PAUSE = 0.5
"""Seconds before the second try; twice as long before the third."""
HOPELESS = 8
LONGEST = 2000
"""Characters of an error's message that a record keeps."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a try came to, and why the model failed if it did, so that another may help."""

    value: T
    trouble: str | None = None


@dataclass(slots=True)
class Tally:
    """How the jobs of this session went."""

    finished: int = 0
    failed: int = 0
    troubles: int = 0
    """Tries that failed."""
    last: str = ""
    """Why the latest of them did."""

    def count(self, error: str | None) -> None:
        """Enter one job's end; give up when nothing has ever worked.

        Raises:
            BackendError: so many tries failed and none succeeded that the rest is hopeless.
        """
        if error is None:
            self.finished += 1
            return
        self.failed += 1
        self.trouble(error)

    def trouble(self, error: str) -> None:
        """Enter one try that failed; raises what `count` does."""
        self.troubles, self.last = self.troubles + 1, error
        if not self.finished and self.troubles >= HOPELESS:
            raise BackendError(error)


class Scheduler:
    """Keeps `concurrency` jobs in flight on one engine, which is started again should it die.

    It tells, a line each, of restarts and of what failed in the end.
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
        queue, tally = iter(jobs), self.tally

        async def worker() -> None:
            for job in queue:
                tally.count(await one(job))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(jobs))):
                    group.create_task(worker())
        except BaseExceptionGroup as e:
            raise first(e) from None
        if tally.failed and not tally.finished:
            raise BackendError(tally.last)
        if tally.failed:
            self._tell(
                f"{tally.failed} of {len(jobs)} attempts failed and count as wrong, the last one:"
                f" {tally.last}; the same command tries them again"
            )
        return tally

    async def persist(
        self,
        attempt: Callable[[], Awaitable[Outcome[T]]],
        failed: Callable[[str], T],
        keep: Callable[[T], None],
    ) -> T:
        """Keep what `attempt` comes to in up to `TRIES` tries; those that the engine died in do not count.

        Whatever goes wrong is this job's affair: what `failed` makes of the reason is kept. A model that
        could not answer is asked again.

        Raises:
            AccessDenied: the server refuses every job.
            StoreError: nothing can be kept.
            BackendError: the engine is lost, or nothing has ever worked.
        """
        value = await self._persist(attempt, failed)
        try:
            keep(value)
        except ReasonerError:
            raise
        except Exception as e:  # It holds what no table can.
            value = failed(reason(e))
            keep(value)
        return value

    async def _persist(
        self, attempt: Callable[[], Awaitable[Outcome[T]]], failed: Callable[[str], T]
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
    attempt: Callable[[], Awaitable[Outcome[T]]], failed: Callable[[str], T]
) -> Outcome[T]:
    """One try; only a model that could not answer is worth another."""
    try:
        return await attempt()
    except (AccessDenied, StoreError):
        raise
    except BackendError as e:
        return Outcome(failed(reason(e)), reason(e))
    except Exception as e:
        return Outcome(failed(reason(e)))


def reason(error: Exception) -> str:
    """An error's message as a record can hold it; of one that nobody foresaw, also where it came from."""
    text = str(error)
    if not isinstance(error, ReasonerError):
        place = traceback.extract_tb(error.__traceback__)[-1:]
        where = "".join(f" ({Path(frame.filename).name}:{frame.lineno})" for frame in place)
        text = f"unforeseen {type(error).__name__}{where}: {text}"
    return text[:LONGEST].encode("utf-8", "backslashreplace").decode()


def first(error: BaseException) -> BaseException:
    """The first plain exception of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
