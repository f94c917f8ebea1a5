"""Run the experiments of a grid that are not stored yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reasoner.base import Backend, Example, ModelInfo, Task, start
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.jobs import run_jobs
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.runner.scheduler import JobOutcome, Tally, reason
from reasoner.benchmarks.runner.shard import Shard
from reasoner.benchmarks.runner.total_budget import Allowance, RunLedger, run_ledger
from reasoner.benchmarks.store.call_log import Calls, ProblemJournal
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
from reasoner.thinking import answer_text
from reasoner.types import Candidate, Prompt


@dataclass(frozen=True, slots=True)
class Job:
    """One problem of one experiment."""

    spec: Spec
    task: Task
    index: int
    example: Example


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
    solvers.check(backend)
    if await recognise(backend):
        solvers.check(backend)
    refuse_others(out, grid.command)
    specs = list(grid.specs())
    with Database(out) as database:
        ledger = run_ledger(grid, database)
        with database.transaction():
            stores = {s.key: Store(database, s, environment) for s in specs}
        pools = {pool.key for task in grid.tasks if (pool := grid.pool(task))}
        grid.save(out)
        every = (job for s in specs for job in _missing(grid, s, solvers, stores[s.key]))
        jobs = [job for job in every if shard.holds(job.index)]
        # The longest first, so that the end is not one slow problem on an idle engine.
        jobs.sort(key=lambda j: -j.spec.n)
        return await run_jobs(
            jobs,
            backend,
            attempt=partial(_attempt, solvers, database, pools, ledger),
            failed=_failed,
            store=partial(_store, stores),
            concurrency=concurrency,
            meter=meter,
        )


def record_of(job: Job, result: Result, pooled: bool, backend: Backend) -> Record:
    """Grade a result. Only here is an answer compared with its reference."""
    task, example = job.task, job.example
    scores = [s.score for s in result.candidates if s.candidate == result.candidate]
    length = backend.prompt_length(Prompt(example.problem))
    ended = result.candidate is not None and result.candidate.complete
    right = ended and task.check(example, answer_text(result.text))
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


async def _attempt(
    solvers: Solvers,
    database: Database,
    pools: Set[str],
    ledger: RunLedger | None,
    job: Job,
    engine: Backend,
) -> JobOutcome[tuple[Record, Tree | None]]:
    """Try once, resuming from the finished calls of earlier tries."""
    example, pooled = job.example, job.spec.key in pools
    await start(engine)  # Starting it takes none of the problem's time.
    calls = Calls(ProblemJournal(database, job.spec, example.problem.id))
    allowance = Allowance(ledger) if ledger else None
    result = await solvers.attempt(engine, job.spec, example, calls, allowance)
    if isinstance(result.cause, AccessDenied | StoreError):
        raise result.cause
    try:
        tree = None if pooled else tree_of(result, job.task, example)
        record = record_of(job, result, pooled, engine)
    except Exception as e:  # In the task's rules.
        return JobOutcome(_failed(job, reason(e), _spend(result)))
    if result.cause is None:
        return JobOutcome((record, tree), result.error)
    record = record.model_copy(update={"error": (error := reason(result.cause))})
    # Only a model that could not answer is worth another try.
    return JobOutcome((record, tree), error if isinstance(result.cause, BackendError) else None)


def _failed(job: Job, error: str, spend: Spend = Spend()) -> tuple[Record, Tree | None]:
    problem = job.example.problem.id
    return Record(
        problem=problem, index=job.index, correct=False, stopped="error", error=error, spend=spend
    ), None


def _store(stores: Mapping[str, Store], job: Job, result: tuple[Record, Tree | None]) -> Record:
    record, tree = result
    try:
        stores[job.spec.key].append(record, tree)
    except ReasonerError:
        raise
    except Exception as e:  # It holds a value that no table can.
        record, _ = _failed(job, reason(e), record.spend)
        stores[job.spec.key].append(record)
    return record


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
    )


def _samples(job: Job, result: Result) -> Iterator[Sample]:
    trace = result.trace
    for node in trace.children(trace.root):
        yield graded(job, trace.candidate(node), node.score)
