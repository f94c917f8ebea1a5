"""Sample solutions, ask a verifier about every prefix of them, and store both.

Solutions are stored apart from judgements: another verifier judges the same solutions, and no token is
generated again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from reasoner.answering import reading
from reasoner.base import Backend, Example, Task, Verifier, bind, release, required_sampling
from reasoner.benchmarks.runner.bench import Job, graded, record_of
from reasoner.benchmarks.runner.components import examples_of
from reasoner.benchmarks.runner.jobs import run_jobs
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.runner.resumable import JournalledModel, journalled
from reasoner.benchmarks.runner.scheduler import JobOutcome, Tally
from reasoner.benchmarks.runner.step_sampling import (
    Stepwise,
    drawn,
    prefix_scores,
    prefixes,
    told_scores,
)
from reasoner.benchmarks.store.call_log import Calls, ProblemJournal
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.judgements import TUNING, DiagnosisPlan, Drawn, Judged, Labelled
from reasoner.benchmarks.store.owner import EVAL, refuse_others
from reasoner.benchmarks.store.records import Header, Record, Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.store import Kept
from reasoner.errors import BackendError, ConfigError
from reasoner.options import CONCURRENCY
from reasoner.registry import tasks, verifiers
from reasoner.solving import solve
from reasoner.traits import verifier_traits
from reasoner.types import Candidate, Judgement, Problem, Sampling, Score


async def run(
    plan: DiagnosisPlan,
    out: Path,
    backend: Backend,
    *,
    verifier: Verifier | None = None,
    named: Mapping[str, Task] | None = None,
    concurrency: int = CONCURRENCY,
    environment: Mapping[str, Any] = {},
    meter: Meter | None = None,
) -> Tally:
    """Sample and judge the solutions that `out` does not hold yet.

    The verifier and the tasks are created from their names unless given; a created verifier is released
    in the end. Where a task labels no steps, the pool of an earlier `reasoner bench` in `out` is used as
    it is.

    Raises:
        ConfigError: the verifier reads the reference.
        StoreError: a results file is corrupt or in use.
        BackendError: every problem fails.
    """
    refuse_others(out, EVAL)
    judge = verifier or _made(plan)
    known = named or {name: tasks.make(name) for name in plan.grid.tasks}
    examples = {
        (name, split): examples_of(task, split, count)
        for name, task in known.items()
        for split, count in _problems(plan, task).items()
    }
    async with AsyncExitStack() as stack:
        stack.push_async_callback(release, None if verifier else judge)
        database = stack.enter_context(Database(out))
        opened = [
            _opened(plan, database, name, known[name], split, problems, judge, environment)
            for (name, split), problems in examples.items()
        ]
        for pool in opened:
            if not isinstance(pool.task, Labelled) and (earlier := plan.grid.pool(pool.spec.task)):
                pool.adopt(RunFolder(out, plan.grid).stored(earlier))
        pools = {pool.spec.key: pool for pool in opened}
        jobs = [job for pool in opened for job in pool.missing()]
        return await run_jobs(
            jobs,
            backend,
            attempt=partial(_attempt, pools),
            failed=_failed,
            store=partial(_store, pools),
            concurrency=concurrency,
            meter=meter,
        )


@dataclass(frozen=True, slots=True)
class JudgedPool:
    """The solutions of one task's problems and a verifier's judgements of them, open for writing."""

    spec: Spec
    task: Task
    problems: Sequence[Example]
    verifier: Verifier
    sampling: Sampling
    whole: bool
    drawn: Kept[Drawn]
    judged: Kept[Judged]

    def missing(self) -> Iterator[Job]:
        """Yield the problems that are not judged yet."""
        for index, example in enumerate(self.problems):
            if self.judged.get(example.problem.id) is None:
                yield Job(self.spec, self.task, index, example)

    def adopt(self, records: Sequence[Record]) -> None:
        """Store the samples and scores of `reasoner bench` as judgements."""
        for record in records:
            if record.samples and self.judged.get(record.problem) is None:
                self.judged.append(judged(record))

    async def attempt(self, job: Job, backend: Backend) -> JobOutcome[Judged]:
        """Sample the missing solutions and judge them, resuming from the finished calls of earlier tries."""
        judged = self.drawn.get(job.example.problem.id) or await self._draw(job, backend)
        return JobOutcome(await self._judge(job, judged, backend))

    async def _draw(self, job: Job, backend: Backend) -> Drawn:
        strategy = Stepwise(self.spec.n, whole=not isinstance(self.task, Labelled))
        calls = Calls(ProblemJournal(self.drawn.database, self.drawn.spec, job.example.problem.id))
        result = await solve(
            job.example.problem, strategy, JournalledModel(backend, calls), self.verifier,
            sampling=self.sampling, extract=self.task.answer, seed=self.spec.seed,
            clock=calls.clock,
        )  # fmt: skip
        if result.error:
            raise result.cause or BackendError(result.error)
        record = record_of(job, result, pooled=False, backend=backend)
        solutions = tuple(drawn(result.trace))
        row = Drawn(problem=record.problem, index=job.index, record=record, solutions=solutions)
        self.drawn.append(row)
        return row

    async def _judge(self, job: Job, drawing: Drawn, backend: Backend) -> Judged:
        problem, solutions = job.example.problem, drawing.solutions
        calls = Calls(ProblemJournal(self.judged.database, self.spec, problem.id))
        judge = bind(journalled(self.verifier, calls), JournalledModel(backend, calls))
        judgement = await judge.score(problem, [c for c in solutions if c.complete])
        steps, labels = await self._steps(judge, problem, solutions, judgement.scores)
        return judged(
            _graded(job, drawing, judgement),
            steps=steps,
            labels=labels,
            comparative=verifier_traits(judge).comparative,
            malformed=judgement.malformed,
        )

    async def _steps(
        self,
        judge: Verifier,
        problem: Problem,
        solutions: Sequence[Candidate],
        scores: Sequence[Score],
    ) -> tuple[list[list[float]], list[list[bool]]]:
        """Return step scores and labels of each solution; `scores` are those of the finished ones."""
        if not isinstance(self.task, Labelled):
            return [], []
        if self.whole:
            steps = told_scores(solutions, scores)
        else:
            steps = await prefix_scores(judge, problem, solutions, scores)
        # Where a solution has no step scores, its labels are of no use.
        labels = [
            _labels(self.task, problem, c) if row else []
            for c, row in zip(solutions, steps, strict=True)
        ]
        return steps, labels


def _attempt(
    pools: Mapping[str, JudgedPool], job: Job, engine: Backend
) -> Awaitable[JobOutcome[Judged]]:
    return pools[job.spec.key].attempt(job, engine)


def _store(pools: Mapping[str, JudgedPool], job: Job, row: Judged) -> Record:
    pools[job.spec.key].judged.append(row)
    return row.record


def _failed(job: Job, error: str) -> Judged:
    problem = job.example.problem.id
    return judged(Record(problem=problem, index=job.index, correct=False, error=error))


def judged(record: Record, **found: Any) -> Judged:
    """Return the judgements of the samples in `record`."""
    row = {"problem": record.problem, "index": record.index, "error": record.error}
    return Judged.model_validate({**row, "record": record, **found})


def _opened(
    plan: DiagnosisPlan,
    database: Database,
    name: str,
    task: Task,
    split: str,
    problems: Sequence[Example],
    verifier: Verifier,
    environment: Mapping[str, Any],
) -> JudgedPool:
    spec = plan.judged(name, split)
    sampling = replace(task.sampling, **required_sampling(verifier))
    source = spec.model_copy(update={"strategy": "drawn", "verifier": None, "sampling": sampling})
    solutions = Kept(database, Drawn, _header(source, environment))
    judgements = Kept(database, Judged, _header(spec, environment))
    whole = plan.steps == "whole"
    judge = reading(verifier, task.answer)
    return JudgedPool(spec, task, problems, judge, sampling, whole, solutions, judgements)


def _header(spec: Spec, environment: Mapping[str, Any]) -> Header:
    return Header(spec=spec, environment=dict(environment))


def _problems(plan: DiagnosisPlan, task: Task) -> dict[str, int]:
    """Return how many problems of each split to judge; those that thresholds need come too."""
    problems = {plan.grid.split: plan.measured.stop}
    return problems | {TUNING: plan.tuned.stop} if isinstance(task, Labelled) else problems


def _made(plan: DiagnosisPlan) -> Verifier:
    name = plan.grid.verifier
    if name is None or verifier_traits(verifiers.load(name)).oracle:
        raise ConfigError(
            f"there is nothing to diagnose of verifier {name!r}; name one that has to judge"
        )
    verifier: Verifier = verifiers.make(name)
    return verifier


def _graded(job: Job, judged: Drawn, judgement: Judgement) -> Record:
    """Return the record of a best-of-N pool: every solution graded, the finished ones with their scores."""
    scores, used = iter(judgement.scores), judgement.usage
    samples = tuple(
        graded(job, c, next(scores).value if c.complete else None) for c in judged.solutions
    )
    spend = judged.record.spend.model_copy(
        update={
            "verifier_tokens": used.fresh_tokens + used.completion_tokens,
            "verifier_flops": used.flops,
        }
    )
    return judged.record.model_copy(update={"samples": samples, "spend": spend})


def _labels(task: Labelled, problem: Problem, solution: Candidate) -> list[bool]:
    """Return, for each prefix, True if every step of it is right."""
    return [all(task.step_labels(problem, part.text)) for part in prefixes(solution)]
