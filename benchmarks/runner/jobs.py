"""Run jobs on one engine: each is attempted, retried, stored and counted in the same way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from reasoner.base import Backend
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.runner.scheduler import JobOutcome, Scheduler, Tally
from reasoner.benchmarks.store.records import Record, Spec
from reasoner.options import CONCURRENCY


class HasSpec(Protocol):
    """A problem of one experiment."""

    @property
    def spec(self) -> Spec:
        """The experiment."""
        ...


J = TypeVar("J", bound=HasSpec)
T = TypeVar("T")


async def run_jobs(
    jobs: Sequence[J],
    backend: Backend,
    *,
    attempt: Callable[[J, Backend], Awaitable[JobOutcome[T]]],
    failed: Callable[[J, str], T],
    store: Callable[[J, T], Record],
    concurrency: int = CONCURRENCY,
    meter: Meter | None = None,
) -> Tally:
    """Attempt every job and store its result, with `concurrency` jobs in flight and a progress bar.

    `attempt` gets an engine that restarts after a crash; `failed` makes a result from an error message;
    `store` writes a result and returns its record.

    Raises:
        AccessDenied: the server refuses every job.
        StoreError: a result cannot be stored.
        BackendError: every job fails, or the engine dies again and again.
    """
    with meter or Meter() as bar:
        bar.start(len(jobs), sum(job.spec.n for job in jobs))
        scheduler = Scheduler(backend, concurrency, bar.tell)

        async def one(job: J) -> str | None:
            record = await scheduler.persist(
                partial(attempt, job, scheduler.engine), partial(failed, job), partial(store, job)
            )
            bar.advance(job.spec, record)
            return record.error

        return await scheduler.run(list(jobs), one)
