"""The driver of a run on many workers: gives them problems, and is the only writer of the results."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from typing import Protocol

from reasoner.benchmarks.runner.bench import Work, failed
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.runner.scheduler import TRIES, Tally, first
from reasoner.benchmarks.store.engine_throughput import EngineUse
from reasoner.benchmarks.store.worker_use import total
from reasoner.benchmarks.workers.messages import (
    FinishedJob,
    JobOrder,
    WorkerLink,
    WorkerLost,
    WorkerReport,
)
from reasoner.benchmarks.workers.remote_worker import RemoteWorker, described
from reasoner.errors import AccessDenied, BackendError

PAUSE = 2.0
"""Seconds between looks for room for another worker."""
LOSSES = 4
"""The losses of workers in a row, without a finished problem in between, after which none is replaced."""
PATIENCE = 120.0
"""Seconds without any worker after which a run ends."""


class WorkerSource(Protocol):
    """A place that has workers."""

    async def hire(self, present: int) -> WorkerLink | None:
        """Return another worker beside those present; None if there is no room or need now."""
        ...


class Driver:
    """Gives each problem to the worker with the fewest, and stores its calls and its result.

    All calls of a problem stay at one worker. A worker that is lost gives its problems, with the calls that
    are stored, to others; workers may join at any time.
    """

    def __init__(
        self,
        work: Work,
        workers: Sequence[RemoteWorker],
        source: WorkerSource,
        *,
        concurrency: int,
        use: EngineUse,
        bar: Meter,
    ) -> None:
        self.tally = Tally()
        self.workers, self.past = list(workers), list(workers)
        self._work, self._source = work, source
        self._concurrency, self._use, self._bar = concurrency, use, bar
        self._journals = [work.journal(job) for job in work.jobs]
        self._queue = deque(range(len(work.jobs)))
        self._left = len(work.jobs)
        self._losses = Counter[int]()
        self._lost_in_a_row = 0
        self.exchanges = self.calls = 0
        """Reports of workers, and the calls in them."""
        self._ended = asyncio.Event()
        self._tasks = set[asyncio.Task[None]]()

    async def run(self) -> Tally:
        """Do all jobs.

        Raises:
            AccessDenied: a server refuses every request.
            StoreError: a result cannot be stored.
            BackendError: every job failed, or no worker is left.
        """
        self._bar.start(self._left, sum(job.spec.n for job in self._work.jobs))
        if self._left:
            try:
                async with asyncio.TaskGroup() as group:
                    await self._watch(group)
            except BaseExceptionGroup as e:
                raise first(e) from None
        self.tally.conclude(self._bar.tell)
        return self.tally

    def detail(self) -> str:
        """Return the number of workers, their rates, and the share of prompt tokens that were cached."""
        uses = [worker.use for worker in self.workers]
        if not uses:
            return ""
        rates = sorted(use.rate for use in uses)
        cached = f"{total([worker.use for worker in self.past]).cached:.1%} of prompt tokens cached"
        return f"; {len(uses)} workers at {rates[0]:,.0f} to {rates[-1]:,.0f} tokens/s, {cached}"

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        self._assign()
        serving = [group.create_task(self._serve(worker)) for worker in self.workers]
        recruiting = group.create_task(self._recruit(group))
        await self._ended.wait()
        for task in (recruiting, *serving, *self._tasks):
            task.cancel()

    async def _serve(self, worker: RemoteWorker) -> None:
        """Exchange orders for reports until the worker is lost."""
        try:
            while True:
                orders = [self._order(number) for number in worker.orders()]
                report = await worker.exchange(orders)
                self._enter(worker, report)
                if report.denied:
                    raise AccessDenied(report.denied)
                if report.lost:
                    raise WorkerLost(report.lost)
        except WorkerLost as e:
            self._lose(worker, str(e))

    def _order(self, number: int) -> JobOrder:
        job = self._work.jobs[number]
        return JobOrder(number, job.spec.key, job.index, self._journals[number].earlier())

    def _assign(self) -> None:
        """Give waiting jobs to the workers with the fewest."""
        while self._queue and self.workers:
            worker = min(self.workers, key=lambda w: (len(w.live), w.waits))
            if len(worker.live) >= self._concurrency:
                return
            worker.give(self._queue.popleft())

    def _enter(self, worker: RemoteWorker, report: WorkerReport) -> None:
        """Store what a worker reports."""
        self.exchanges += 1
        if report.calls:
            self.calls += len(report.calls)
            with self._work.database.transaction():
                for number, call in report.calls:
                    self._journals[number].enter(call)
        for each in report.finished:
            self._finish(worker, each)
        self._use.enter(report.times)
        for line in report.lines:
            self._bar.tell(f"{worker.name}: {line}")
        self._assign()

    def _finish(self, worker: RemoteWorker, result: FinishedJob) -> None:
        worker.finish(result)
        self._lost_in_a_row = 0
        self._store(result)

    def _store(self, result: FinishedJob) -> None:
        job = self._work.jobs[result.number]
        record = self._work.store(job, (result.record, result.tree))
        self._bar.advance(job.spec, record)
        self.tally.count(record.error)
        self._left -= 1
        if not self._left:
            self._ended.set()

    def _lose(self, worker: RemoteWorker, error: str) -> None:
        """Give the jobs of a lost worker to others; one that lost `TRIES` workers has failed."""
        worker.link.kill()
        self.workers.remove(worker)
        self._lost_in_a_row += 1
        self._bar.tell(
            f"{worker.name} is lost ({error}); others take its {len(worker.live)} problems"
        )
        for number in sorted(worker.live, reverse=True):
            self._losses[number] += 1
            if self._losses[number] < TRIES:
                self._queue.appendleft(number)
            else:
                reason = f"{TRIES} workers were lost while they solved it, the last one: {error}"
                record, tree = failed(self._work.jobs[number], reason)
                self._store(FinishedJob(number, record, tree))
        if not self.workers and self._lost_in_a_row >= LOSSES:
            raise BackendError(f"no worker is left: {error}; finished problems are stored")
        self._assign()

    async def _recruit(self, group: asyncio.TaskGroup) -> None:
        """Have workers join when there is room."""
        joining, alone = set[asyncio.Task[None]](), 0.0
        while self._lost_in_a_row < LOSSES:
            joining = {task for task in joining if not task.done()}
            link = await self._source.hire(len(self.workers) + len(joining))
            if link:
                task = group.create_task(self._join(link))
                joining.add(task)
                self._tasks.add(task)
                continue
            alone = 0.0 if self.workers or joining else alone + PAUSE
            if alone > PATIENCE:
                raise BackendError("no worker is left, and the cluster has no room for another")
            await asyncio.sleep(PAUSE)

    async def _join(self, link: WorkerLink) -> None:
        name = f"worker {len(self.past) + 1}"
        try:
            worker = await described(link, name)
        except (BackendError, WorkerLost) as e:
            self._lost_in_a_row += 1
            link.kill()
            self._bar.tell(f"{name} cannot join: {e}")
            return
        self.workers.append(worker)
        self.past.append(worker)
        self._bar.tell(f"{name} joins on {worker.description.host}")
        self._assign()
        await self._serve(worker)
