"""Run what a grid still lacks: every problem in flight at once, under a governor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from reasoner.base import Backend, Example, Task
from reasoner.benchmarks.grid import Grid
from reasoner.benchmarks.progress import Meter
from reasoner.benchmarks.solvers import Solvers
from reasoner.benchmarks.spec import Record, Sample, Spec, Spend
from reasoner.benchmarks.store import Store
from reasoner.benchmarks.trees import Trees, tree_of
from reasoner.errors import BackendError, ReasonerError
from reasoner.events import Result
from reasoner.types import Candidate, Prompt

J = TypeVar("J")
CONCURRENCY = 128
HOPELESS = 8


@dataclass(frozen=True, slots=True)
class Job:
    """One problem of one experiment."""

    spec: Spec
    task: Task
    index: int
    example: Example


@dataclass(slots=True)
class Tally:
    """How the jobs of this session went."""

    finished: int = 0
    failed: int = 0

    def count(self, error: str | None) -> None:
        """Enter one outcome; give up when nothing has ever worked.

        Raises:
            BackendError: so many failed and none succeeded that the rest is hopeless.
        """
        if error is None:
            self.finished += 1
            return
        self.failed += 1
        if not self.finished and self.failed >= HOPELESS:
            raise BackendError(error)


async def run(
    grid: Grid,
    out: Path,
    solvers: Solvers,
    backend: Backend,
    *,
    concurrency: int = CONCURRENCY,
    environment: Mapping[str, Any] = {},
    meter: Meter | None = None,
) -> Tally:
    """Attempt every problem that `out` has no record of, and append its record there.

    Raises:
        StoreError: a results file is corrupt or in use.
        BackendError: every problem fails.
    """
    specs = list(grid.specs())
    with ExitStack() as stack:
        stores = {s.key: stack.enter_context(Store(out, s, environment)) for s in specs}
        pools = {pool.key for task in grid.tasks if (pool := grid.pool(task))}
        grown = {s.key: stack.enter_context(Trees(out, s)) for s in specs if s.key not in pools}
        grid.save(out)
        jobs = [job for s in specs for job in _missing(s, solvers, stores[s.key])]
        # The longest first, so that the end is not one slow problem on an idle engine.
        jobs.sort(key=lambda j: -j.spec.n)
        meter = stack.enter_context(meter or Meter())
        meter.start(len(jobs), sum(j.spec.n for j in jobs))

        async def one(job: Job) -> str | None:
            key, pooled = job.spec.key, job.spec.key in pools
            record, result = await _attempt(job, solvers, backend, pooled)
            if result and not pooled:
                grown[key].append(tree_of(result, job.task, job.example))
            stores[key].append(record)
            meter.advance(job.spec, record)
            return record.error

        return await drain(jobs, one, concurrency)


async def drain(
    jobs: list[J], one: Callable[[J], Awaitable[str | None]], concurrency: int
) -> Tally:
    """Keep `concurrency` jobs in flight until none is left."""
    queue, tally, last = iter(jobs), Tally(), ""

    async def worker() -> None:
        nonlocal last
        for job in queue:
            error = await one(job)
            last = error or last
            tally.count(error)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(jobs))):
                group.create_task(worker())
    except BaseExceptionGroup as e:
        raise first(e) from None
    if tally.failed and not tally.finished:
        raise BackendError(last)
    return tally


def first(error: BaseException) -> BaseException:
    """The first plain exception of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def record_of(job: Job, result: Result, pooled: bool, backend: Backend) -> Record:
    """Grade a result: the only place where an answer meets its reference."""
    task, example = job.task, job.example
    scores = [s.score for s in result.candidates if s.candidate == result.candidate]
    length = backend.prompt_length(Prompt(example.problem))
    return Record(
        problem=example.problem.id,
        index=job.index,
        correct=result.candidate is not None and task.check(example, result.text),
        answer=result.answer,
        score=scores[0] if scores else None,
        spend=_spend(result),
        prompt_tokens=length,
        prompt_flops=backend.model.flops(0, length),
        stopped=str(result.stopped),
        oracle=result.oracle,
        error=result.error,
        samples=tuple(_samples(job, result)) if pooled else (),
        question=example.problem.prompt if pooled else "",
        reference=example.answer if pooled else "",
    )


async def _attempt(
    job: Job, solvers: Solvers, backend: Backend, pooled: bool
) -> tuple[Record, Result | None]:
    try:
        result = await solvers.attempt(backend, job.spec, job.example)
    except ReasonerError as e:
        id, told = job.example.problem.id, str(e)
        failed = Record(problem=id, index=job.index, correct=False, stopped="error", error=told)
        return failed, None
    return record_of(job, result, pooled, backend), result


def _missing(spec: Spec, solvers: Solvers, store: Store) -> Iterator[Job]:
    done = store.done()
    for index, example in enumerate(solvers.examples[spec.task]):
        if example.problem.id not in done:
            yield Job(spec, solvers.tasks[spec.task], index, example)


def _spend(result: Result) -> Spend:
    generator, verifier = result.generator, result.verifier
    return Spend(
        generated_tokens=generator.completion_tokens,
        prompt_tokens_fresh=generator.fresh_tokens,
        prompt_tokens_cached=generator.cached_tokens,
        verifier_tokens=verifier.fresh_tokens + verifier.completion_tokens,
        generator_flops=generator.flops,
        verifier_flops=verifier.flops,
        seconds=result.seconds,
    )


def graded(job: Job, candidate: Candidate, score: float | None) -> Sample:
    """A solution as a sample of a pool."""
    done, task = candidate.complete, job.task
    return Sample(
        answer=task.answer(candidate.text) if done else None,
        correct=done and task.check(job.example, candidate.text),
        score=score,
        tokens=candidate.tokens,
        text=candidate.text,
        complete=done,
    )


def _samples(job: Job, result: Result) -> Iterator[Sample]:
    trace = result.trace
    for node in trace.children(trace.root):
        yield graded(job, trace.candidate(node), node.score)
