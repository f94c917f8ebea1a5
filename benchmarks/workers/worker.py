"""A worker: one engine and one set of components, which solve whole problems."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from reasoner.base import Backend, release
from reasoner.benchmarks.runner.bench import Attempts, Job, failed, pool_keys
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.scheduler import JobOutcome, Scheduler
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.search_trees import Tree
from reasoner.benchmarks.workers.messages import FinishedJob, JobOrder, WorkerReport
from reasoner.benchmarks.workers.outbox import Outbox, RemoteJournal, ReportedUse
from reasoner.errors import AccessDenied, ReasonerError

Result = tuple[Record, Tree | None]


class EngineWorker:
    """Solves the jobs that it is given on one engine, which is started again should it die.

    A job is tried again where the model fails, as in a run without workers.
    """

    def __init__(self, grid: Grid, solvers: Solvers, backend: Backend) -> None:
        self.solvers = solvers
        self._specs = {spec.key: spec for spec in grid.specs()}
        self._attempts = Attempts(solvers, pool_keys(grid))
        self._outbox = Outbox()
        solvers.engine_use = ReportedUse(self._outbox)
        self._scheduler = Scheduler(backend, 1, self._tell)
        self._tasks = set[asyncio.Task[None]]()

    async def exchange(self, orders: Sequence[JobOrder]) -> WorkerReport:
        """Begin jobs, let searches go on from the calls of the last report, and return the next one."""
        self._outbox.acknowledge()
        for order in orders:
            task = asyncio.create_task(self._solve(order))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await self._outbox.take()

    def wake(self) -> None:
        """Have the exchange under way return at once."""
        self._outbox.fill()

    async def aclose(self) -> None:
        """End the jobs under way, and release the engine and what verifiers hold."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await release(self._scheduler.engine, self.solvers.second, self.solvers)

    async def _solve(self, order: JobOrder) -> None:
        try:
            record, tree = await self._result(self._job(order), order)
        except AccessDenied as e:
            self._outbox.report.denied = str(e)
        except ReasonerError as e:
            self._outbox.report.lost = str(e)
        else:
            self._outbox.report.finished.append(FinishedJob(order.number, record, tree))
        self._outbox.fill()

    async def _result(self, job: Job, order: JobOrder) -> Result:
        journal = RemoteJournal(order.number, order.earlier, self._outbox)

        async def attempt() -> JobOutcome[Result]:
            return await self._attempts.attempt(job, self._scheduler.engine, journal)

        result = await self._scheduler.persist(attempt, partial(failed, job), lambda value: value)
        if result[0].error is None:
            self._scheduler.tally.count(None)
        return result

    def _job(self, order: JobOrder) -> Job:
        spec = self._specs[order.key]
        example = self.solvers.examples[spec.task][order.index]
        return Job(spec, self.solvers.tasks[spec.task], order.index, example)

    def _tell(self, line: str) -> None:
        self._outbox.report.lines.append(line)
        self._outbox.fill()
