"""Run the experiments of a grid that are not stored yet."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoner.base import Backend, Example, ModelInfo, Task, start
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.jobs import run_jobs
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.runner.scheduler import JobOutcome, Tally, reason
from reasoner.benchmarks.runner.shard import Shard
from reasoner.benchmarks.runner.total_budget import Allowance, RunLedger, run_ledger
from reasoner.benchmarks.store.call_log import Calls, Journal, ProblemJournal
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.owner import refuse_others
from reasoner.benchmarks.store.records import Record, Sample, Spec, Spend
from reasoner.benchmarks.store.search_trees import Tree, tree_of
from reasoner.benchmarks.store.store import Store
from reasoner.errors import AccessDenied, BackendError, ReasonerError, StoreError
from reasoner.events import Result
from reasoner.options import CONCURRENCY
from reasoner.recognition import recognise
from reasoner.types import Candidate, Prompt


@dataclass(frozen=True, slots=True)
class Job:
    """One problem of one experiment."""

    spec: Spec
    task: Task
    index: int
    example: Example


@dataclass(frozen=True, slots=True)
class Work:
    """The jobs of a run that are not done, and the places of their results."""

    jobs: list[Job]
    database: Database
    stores: Mapping[str, Store]
    ledger: RunLedger | None

    def journal(self, job: Job) -> ProblemJournal:
        """Return the journal of a job's calls."""
        return ProblemJournal(self.database, job.spec, job.example.problem.id)

    def store(self, job: Job, result: tuple[Record, Tree | None]) -> Record:
        """Store a result; one that no table can hold is stored as a failure."""
        record, tree = result
        try:
            self.stores[job.spec.key].append(record, tree)
        except ReasonerError:
            raise
        except Exception as e:
            record, _ = failed(job, reason(e), record.spend)
            self.stores[job.spec.key].append(record)
        return record


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts at jobs: one search each, then its grade. `pools` are the keys of experiments that keep samples."""

    solvers: Solvers
    pools: Set[str]

    async def attempt(
        self, job: Job, engine: Backend, journal: Journal, ledger: RunLedger | None = None
    ) -> JobOutcome[tuple[Record, Tree | None]]:
        """Try once, resuming from the finished calls of earlier tries."""
        example, pooled = job.example, job.spec.key in self.pools
        await start(engine)  # Starting it takes none of the problem's time.
        allowance = Allowance(ledger) if ledger else None
        result = await self.solvers.attempt(engine, job.spec, example, Calls(journal), allowance)
        if isinstance(result.cause, AccessDenied | StoreError):
            raise result.cause
        try:
            tree = None if pooled else tree_of(result, job.task, example)
            record = record_of(job, result, pooled, engine)
        except Exception as e:  # In the task's rules.
            return JobOutcome(failed(job, reason(e), _spend(result)))
        if result.cause is None:
            return JobOutcome((record, tree), result.error)
        record = record.model_copy(update={"error": (error := reason(result.cause))})
        # Only a model that could not answer is worth another try.
        return JobOutcome((record, tree), error if isinstance(result.cause, BackendError) else None)


async def run(
    grid: Grid,
    out: Path,
    solvers: Solvers,
    backend: Backend,
    *,
    concurrency: int = CONCURRENCY,
    environment: Mapping[str, Any] = {},
    meter: Meter | None = None,
    shard: Shard = Shard(),
) -> Tally:
    """Attempt every problem of `shard` that `out` has no record of, and store its record there.

    Raises:
        ConfigError: components do not suit one another.
        AccessDenied: the server refuses every problem.
        StoreError: the database cannot be written, is corrupt or in use.
        BackendError: every problem fails, or the engine dies again and again.
    """
    await check(solvers, backend)
    with opened(grid, out, solvers, environment=environment, shard=shard) as work:
        attempts = Attempts(solvers, pool_keys(grid))

        def attempt(job: Job, engine: Backend) -> Awaitable[JobOutcome[tuple[Record, Tree | None]]]:
            return attempts.attempt(job, engine, work.journal(job), work.ledger)

        return await run_jobs(
            work.jobs,
            backend,
            attempt=attempt,
            failed=failed,
            store=work.store,
            concurrency=concurrency,
            meter=meter,
        )


async def check(solvers: Solvers, backend: Backend) -> None:
    """Refuse components that do not suit `backend`, also by what it finds out about its model.

    Raises:
        ConfigError: they do not; nothing is sampled then.
    """
    solvers.check(backend)
    if await recognise(backend):
        solvers.check(backend)


@contextmanager
def opened(
    grid: Grid,
    out: Path,
    solvers: Solvers,
    *,
    environment: Mapping[str, Any] = {},
    shard: Shard = Shard(),
) -> Generator[Work]:
    """Open the results in `out`, with the jobs of `shard` that are missing there.

    Raises:
        StoreError: the database cannot be written, is corrupt or in use.
    """
    refuse_others(out, grid.command)
    specs = list(grid.specs())
    with Database(out) as database:
        ledger = run_ledger(grid, database)
        with database.transaction():
            stores = {s.key: Store(database, s, environment) for s in specs}
        grid.save(out)
        every = (job for s in specs for job in _missing(grid, s, solvers, stores[s.key]))
        jobs = [job for job in every if shard.holds(job.index)]
        # The longest first, so that the end is not one slow problem on an idle engine.
        jobs.sort(key=lambda j: -j.spec.n)
        yield Work(jobs, database, stores, ledger)


def pool_keys(grid: Grid) -> set[str]:
    """Return the keys of the experiments whose samples decide other strategies and sizes."""
    return {pool.key for task in grid.tasks if (pool := grid.pool(task))}


def record_of(job: Job, result: Result, pooled: bool, backend: Backend) -> Record:
    """Grade a result. Only here is an answer compared with its reference."""
    task, example = job.task, job.example
    scores = [s.score for s in result.candidates if s.candidate == result.candidate]
    length = backend.prompt_length(Prompt(example.problem))
    chosen = result.candidate
    right = bool(chosen and chosen.complete and task.check(example, chosen.answer_text))
    samples = tuple(_samples(job, result)) if pooled and result.error is None else ()
    spend = _spend(result)
    return Record(
        problem=example.problem.id,
        index=job.index,
        correct=right and result.error is None,
        answer=result.answer,
        score=scores[0] if scores else None,
        spend=spend,
        prompt_tokens=length,
        prompt_flops=backend.model.flops(0, length),
        tails_flops=_tails_flops(backend.model, length, spend, len(samples)) if samples else None,
        estimated_tokens=result.usage.estimated_tokens,
        stopped=str(result.stopped),
        oracle=result.oracle,
        error=result.error,
        samples=samples,
        question=example.problem.prompt if pooled else "",
        reference=example.answer if pooled else "",
    )


def failed(job: Job, error: str, spend: Spend = Spend()) -> tuple[Record, Tree | None]:
    """Return the result of a job that failed."""
    problem = job.example.problem.id
    return Record(
        problem=problem, index=job.index, correct=False, stopped="error", error=error, spend=spend
    ), None


def _missing(grid: Grid, spec: Spec, solvers: Solvers, store: Store) -> Iterator[Job]:
    done = store.done()
    examples = solvers.examples[spec.task][: grid.attempted(spec.strategy)]
    for index, example in enumerate(examples):
        if example.problem.id not in done:
            yield Job(spec, solvers.tasks[spec.task], index, example)


def _tails_flops(model: ModelInfo, prompt: int, spend: Spend, samples: int) -> float:
    """Return the FLOPs of the prompt tokens that each sample after the first computes again."""
    again = max(1, samples - 1)
    tail = min(prompt, max(0, round((spend.prompt_tokens_fresh - prompt) / again)))
    return again * model.flops(prompt - tail, prompt)


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
        thinking_tokens=generator.thinking_tokens,
        thinking_estimated=generator.thinking_estimated,
    )


def graded(job: Job, candidate: Candidate, score: float | None) -> Sample:
    """Return a solution as a sample of a pool."""
    done, task, stated = candidate.complete, job.task, candidate.answer_text
    return Sample(
        answer=task.answer(stated) if done else None,
        correct=done and task.check(job.example, stated),
        score=score,
        tokens=candidate.tokens,
        text=candidate.text,
        complete=done,
        outputs=candidate.outputs,
    )


def _samples(job: Job, result: Result) -> Iterator[Sample]:
    trace = result.trace
    for node in trace.children(trace.root):
        yield graded(job, trace.candidate(node), node.score)
