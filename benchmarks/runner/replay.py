"""Replay strategies on recorded solutions; no model is asked, and no token is sampled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.runner.recorded_pool import Recording, check_replayable, refuse_decided
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.owner import REPLAY, refuse_others
from reasoner.benchmarks.store.records import Record, Sample, Spec, Spend
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.store import Store
from reasoner.errors import StoreError
from reasoner.events import Result
from reasoner.files import shown

DETERMINING = (
    "backend",
    "tasks",
    "split",
    "ns",
    "problems",
    "model",
    "weights",
    "verifier",
    "seed",
)
"""The fields of a grid that decide what a folder of replays holds."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The settings of a replay.

    With one of `orders` the solutions are given as they were recorded, else in as many orders that `seed`
    draws, over which each problem is averaged.
    """

    strategies: tuple[str, ...]
    ns: tuple[int, ...] = ()
    orders: int = 1
    seed: int = 0

    def grid(self, source: Grid, scored: bool) -> Grid:
        """Return the grid of the results: the pool of `source` and what it decides, and the replays."""
        drawn = f"orders={self.orders}, seed={self.seed}" if self.orders > 1 else "orders=1"
        return source.model_copy(
            update={
                "strategies": tuple(dict.fromkeys((*source.pooled, *self.strategies))),
                "search_ns": self.ns or source.ns,
                "own_ns": {},
                "budgets": (),
                "search_problems": None,
                "second": None,
                "second_weights": "",
                "backend": f"replay({drawn})",
                "verifier": source.verifier if scored else None,
                "command": REPLAY,
            }
        )

    def order(self, record: Record, number: int) -> list[int]:
        """Return the `number`-th order of a problem's solutions, as their places."""
        places = list(range(len(record.samples)))
        if self.orders > 1:
            Random(f"{self.seed}:{record.problem}:{number}").shuffle(places)
        return places


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """A problem to search again, and the store of its new record."""

    store: Store
    recording: Recording
    record: Record


async def replay(
    source: RunFolder, settings: Replay, out: Path, *, environment: Mapping[str, Any] = {}
) -> Grid:
    """Replay strategies on the pools of the run `source` into the run `out`; return its grid.

    A sample costs what it cost then, and scoring it a share of what scoring the pool did. Seconds are a
    share of the pool's, in proportion to the tokens.

    Raises:
        ConfigError: a strategy asks for what the pool does not have; nothing is written then.
        StoreError: there is no pool, or `out` cannot be written or holds other results.
    """
    refuse_decided(settings.strategies)
    recordings = {task: Recording.of(source, task) for task in source.grid.tasks}
    grid = settings.grid(source.grid, all(r.scored for r in recordings.values()))
    refuse_others(out, REPLAY)
    grid.refuse_another(out, DETERMINING)
    for spec in _replayed(grid):
        await check_replayable(recordings[spec.task], spec, source.path)
    with Database(out) as database:
        for task, recording in recordings.items():
            if pool := grid.pool(task):
                _copy(recording.records, Store(database, pool, environment), out)
        grid.save(out)
        jobs = list[ReplayJob]()
        for spec in _replayed(grid):
            jobs += _missing(Store(database, spec, environment), recordings[spec.task])
        await _run(jobs, settings)
    return grid


def _replayed(grid: Grid) -> Iterator[Spec]:
    """Yield the experiments that are replayed."""
    for task in grid.tasks:
        yield from (grid.spec(task, s, n) for s in grid.searches for n in grid.sizes(s))


def _missing(store: Store, recording: Recording) -> Iterator[ReplayJob]:
    """Yield the problems that have not been replayed yet."""
    done = store.done()
    for record in recording.records:
        if record.problem not in done:
            yield ReplayJob(store, recording, record)


async def _run(jobs: Sequence[ReplayJob], settings: Replay) -> None:
    """Do one job after the other; there is no engine to keep busy."""
    with Meter() as meter:
        meter.start(len(jobs), sum(job.store.spec.n for job in jobs))
        for job in jobs:
            record = await _attempt(job, settings)
            job.store.append(record)
            meter.advance(job.store.spec, record)


async def _attempt(job: ReplayJob, settings: Replay) -> Record:
    """Return the record of a problem, averaged over the orders; one that failed stays failed."""
    spec, record = job.store.spec, job.record
    if not record.samples:
        return record.model_copy(update={"spend": Spend()})
    tries = list[Record]()
    for number in range(settings.orders):
        result = await job.recording.solve(spec, record, settings.order(record, number))
        tries.append(_record(spec, record, result))
    return tries[0] if len(tries) == 1 else _mean(tries)


def _record(spec: Spec, record: Record, result: Result) -> Record:
    """Return the record of one replay; the chosen solution is as right as it was graded."""
    chosen = result.candidate
    graded = {(s.text, s.complete): s for s in record.samples}
    sample = graded.get((chosen.text, chosen.complete)) if chosen else None
    scores = [solution.score for solution in result.candidates if solution.candidate == chosen]
    return record.model_copy(
        update={
            "correct": sample is not None and sample.correct and result.error is None,
            "answer": result.answer,
            "score": scores[0] if scores else None,
            "spend": _spend(record, result),
            "stopped": str(result.stopped),
            "oracle": record.oracle and spec.verifier is not None,
            "error": result.error,
            "samples": tuple[Sample, ...](),
            "tails_flops": None,
            "estimated_tokens": 0,
            "question": "",
            "reference": "",
        }
    )


def _spend(record: Record, result: Result) -> Spend:
    generator, verifier = result.generator, result.verifier
    share = generator.completion_tokens / max(1.0, record.spend.generated_tokens)
    return Spend(
        generated_tokens=generator.completion_tokens,
        prompt_tokens_fresh=generator.fresh_tokens,
        prompt_tokens_cached=generator.cached_tokens,
        verifier_tokens=verifier.completion_tokens,
        generator_flops=generator.flops,
        verifier_flops=verifier.flops,
        seconds=share * record.spend.seconds,
        thinking_tokens=generator.thinking_tokens,
        thinking_estimated=generator.thinking_estimated,
    )


def _mean(tries: Sequence[Record]) -> Record:
    """Return the first of several tries, with the share that was right and the mean cost."""
    share = fmean(record.correct for record in tries)
    costs = {name: fmean(getattr(r.spend, name) for r in tries) for name in Spend.model_fields}
    error = next((record.error for record in tries if record.error), None)
    changed = {"share": share, "correct": share > 0.5, "spend": Spend(**costs), "error": error}
    return tries[0].model_copy(update=changed)


def _copy(records: Sequence[Record], store: Store, out: Path) -> None:
    """Copy a pool, so that what it decides stands beside the replays.

    Raises:
        StoreError: `out` holds another pool.
    """
    for record in records:
        if (before := store.get(record.problem)) is None:
            store.append(record)
        elif before.samples != record.samples:
            raise StoreError(f"{shown(out)} holds replays of other solutions; choose another --out")
