"""A worker as its driver sees it: its jobs, and how much it has done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from reasoner.benchmarks.store.worker_use import WorkerUse
from reasoner.benchmarks.workers.messages import (
    FinishedJob,
    JobOrder,
    WorkerDescription,
    WorkerLink,
    WorkerReport,
)
from reasoner.errors import BackendError


class RemoteWorker:
    """A worker that has told where it runs. `live` are the numbers of its jobs."""

    def __init__(self, name: str, link: WorkerLink, description: WorkerDescription) -> None:
        self.name, self.link, self.description = name, link, description
        self.live = set[int]()
        self.waits = False
        """True while it has no order to fetch: a job for it must wake it."""
        self._given = list[int]()
        self._began = time.monotonic()
        self._problems = self._tokens = self._cached = self._fresh = 0.0

    def give(self, number: int) -> None:
        """Add a job to its next orders."""
        self.live.add(number)
        self._given.append(number)
        if self.waits:
            self.waits = False
            self.link.wake()

    def orders(self) -> list[int]:
        """Return the jobs that it has not been given yet."""
        given, self._given = self._given, []
        return given

    async def exchange(self, orders: Sequence[JobOrder]) -> WorkerReport:
        """Exchange orders for the next report."""
        self.waits = True
        try:
            return await self.link.exchange(orders)
        finally:
            self.waits = False

    def finish(self, result: FinishedJob) -> None:
        """Count a finished job."""
        self.live.remove(result.number)
        spend = result.record.spend
        self._problems += 1
        self._tokens += spend.generated_tokens
        self._cached += spend.prompt_tokens_cached
        self._fresh += spend.prompt_tokens_fresh

    @property
    def use(self) -> WorkerUse:
        """Its work so far."""
        return WorkerUse(
            worker=self.name,
            node=dict(self.description.node),
            problems=int(self._problems),
            seconds=time.monotonic() - self._began,
            tokens=self._tokens,
            prompt_tokens_cached=self._cached,
            prompt_tokens_fresh=self._fresh,
        )


async def described(link: WorkerLink, name: str) -> RemoteWorker:
    """Return a worker once it is ready.

    Raises:
        BackendError: it cannot work.
        WorkerLost: it is gone.
    """
    description = await link.describe()
    if description.refusal:
        place = f" on {description.host}" if description.host else ""
        raise BackendError(f"{name}{place}: {description.refusal}")
    return RemoteWorker(name, link, description)


async def assembled(links: Sequence[WorkerLink]) -> list[RemoteWorker]:
    """Return workers once all of them are ready; raises as `described`."""
    names = [f"worker {number}" for number, _ in enumerate(links, 1)]
    return list(await asyncio.gather(*map(described, links, names)))
