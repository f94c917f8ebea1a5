"""Rerank stored solutions by another verifier; no token is sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from reasoner.answering import reading
from reasoner.api import open_backend
from reasoner.base import (
    Backend,
    Verifier,
    bind,
    check_problem,
    needs_model,
    release,
    required_sampling,
)
from reasoner.benchmarks.runner.jobs import run_jobs
from reasoner.benchmarks.runner.resumable import JournalledModel, journalled
from reasoner.benchmarks.runner.scheduler import JobOutcome
from reasoner.benchmarks.store.call_log import Calls, ProblemJournal
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.grid import BEST, BESTS, MAJORITY, WEIGHTED, Grid
from reasoner.benchmarks.store.owner import RERANK, refuse_others
from reasoner.benchmarks.store.pools import best_of, pool_of
from reasoner.benchmarks.store.records import Record, Sample, Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.store import Store
from reasoner.errors import ConfigError
from reasoner.options import CONCURRENCY
from reasoner.registry import verifiers
from reasoner.traits import verifier_traits
from reasoner.types import Candidate, Completion, Finish, Judgement, Problem, Score

DETERMINING = ("verifier", "tasks", "split", "model", "weights", "backend", "seed")
"""The fields of a grid that decide which choice a folder holds."""


@dataclass(frozen=True, slots=True)
class RerankJob:
    """A problem whose solutions are to be scored, and the store of the new record."""

    store: Store
    record: Record

    @property
    def spec(self) -> Spec:
        """The experiment that the new record belongs to."""
        return self.store.spec


async def rerank(
    source: RunFolder,
    verifier: str,
    out: Path,
    engine: Callable[[], Backend],
    *,
    concurrency: int = CONCURRENCY,
    environment: Mapping[str, Any] = {},
) -> Grid:
    """Score the pools of the run `source` with `verifier` into the run `out`; return its grid.

    The verifier sees only the text of the solutions. Their cost is that of sampling them, plus what the
    verifier reports for scoring. `engine` opens the backend of a verifier that needs a model and has none.

    Raises:
        ConfigError: the verifier reads the reference, or more than text.
        StoreError: there is no pool, or `out` cannot be written or is in use.
        BackendError: every problem fails.
    """
    changed = {"strategies": (MAJORITY, BEST, WEIGHTED, BESTS), "verifier": verifier, "budgets": ()}
    grid = source.grid.model_copy(update={**changed, "command": RERANK})
    refuse_others(out, RERANK)
    grid.refuse_another(out, DETERMINING)
    pools = {task: pool_of(source, task) for task in grid.tasks}
    judge = _made(verifier)
    backend = engine() if needs_model(judge) else open_backend("scripted")  # It is asked nothing.
    for record in (record for pool in pools.values() for record in pool):
        check_problem(judge, Problem(record.problem, record.question))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(release, judge, backend)
        database = stack.enter_context(Database(out))
        jobs = list[RerankJob]()
        for task, pool in pools.items():
            jobs += _missing(Store(database, _spec(grid, task), environment), pool)
        grid.save(out)
        await run_jobs(
            jobs,
            backend,
            attempt=partial(_attempt, judge),
            failed=_failed,
            store=_store,
            concurrency=concurrency,
        )
    return grid


def _made(name: str) -> Verifier:
    if verifier_traits(verifiers.load(name)).oracle:
        raise ConfigError("verifier 'oracle' reads references; what it would choose is pass@k")
    verifier: Verifier = verifiers.make(name)
    read = "log-probabilities" if any(required_sampling(verifier).values()) else ""
    if read := "verdict tokens" if verifier_traits(verifier).verdicts else read:
        raise ConfigError(
            f"verifier {name!r} reads {read}, which recorded solutions do not have; rerank by one"
            " that reads text"
        )
    return verifier


def _spec(grid: Grid, task: str) -> Spec:
    spec = grid.pool(task)
    assert spec is not None, "the grid's strategies are those of a pool"
    return spec


def _missing(store: Store, pool: Sequence[Record]) -> Iterator[RerankJob]:
    """Yield the problems not scored yet; failed ones have nothing to score, and stay failed."""
    done, seen = store.done(), {record.problem for record in store}
    for record in pool:
        if record.samples and record.problem not in done:
            yield RerankJob(store, record)
        elif record.problem not in seen:
            store.append(record)


async def _attempt(verifier: Verifier, job: RerankJob, engine: Backend) -> JobOutcome[Record]:
    """Try once, resuming from the finished calls of earlier tries."""
    record = job.record
    calls = Calls(ProblemJournal(job.store.database, job.spec, record.problem))
    finished = [sample for sample in record.samples if sample.complete]
    candidates = [_candidate(sample) for sample in finished]
    answers = {c.answer_text: s.answer for c, s in zip(candidates, finished, strict=True)}
    informed = reading(verifier, answers.get)
    judge = bind(journalled(informed, calls), JournalledModel(engine, calls))
    judgement = await judge.score(Problem(record.problem, record.question), candidates)
    return JobOutcome(_scored(record, judgement))


def _failed(job: RerankJob, error: str) -> Record:
    return job.record.model_copy(update={"error": error, "samples": (), "correct": False})


def _store(job: RerankJob, record: Record) -> Record:
    job.store.append(record)
    return record


def _scored(record: Record, judgement: Judgement) -> Record:
    scores, used = iter(judgement.scores), judgement.usage
    samples = tuple(_rescored(s, next(scores) if s.complete else None) for s in record.samples)
    best = best_of(samples)
    assert best is not None, "a problem without solutions is not scored"
    spend = record.spend.model_copy(
        update={
            "verifier_tokens": used.fresh_tokens + used.completion_tokens,
            "verifier_flops": used.flops,
        }
    )
    chosen = {"correct": best.correct, "answer": best.answer, "score": best.score}
    return record.model_copy(update={"samples": samples, "spend": spend, **chosen})


def _rescored(sample: Sample, score: Score | None) -> Sample:
    value, steps = (score.value, score.steps) if score else (None, ())
    return sample.model_copy(update={"score": value, "steps": steps})


def _candidate(sample: Sample) -> Candidate:
    outputs = tuple(replace(output, tokens=0) for output in sample.outputs)
    return Candidate((Completion(sample.text, (), Finish.EOS, outputs=outputs),), complete=True)
