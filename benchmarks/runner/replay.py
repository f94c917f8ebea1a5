"""Replay strategies on recorded solutions; no model is asked, and no token is sampled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from reasoner.benchmarks.runner.components import sized
from reasoner.benchmarks.runner.recorded_model import RecordedModel, RecordedScores
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.grid import GREEDY, POOLED, Grid
from reasoner.benchmarks.store.owner import REPLAY, refuse_others
from reasoner.benchmarks.store.pools import RECORDED, pool_of
from reasoner.benchmarks.store.records import Record, Sample, Spec, Spend
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.store import Store
from reasoner.errors import ConfigError
from reasoner.events import Result
from reasoner.files import clipped, shown
from reasoner.naming import parse_spec
from reasoner.registry import verifiers
from reasoner.solving import check_suitable, solve
from reasoner.thinking import answer_text
from reasoner.traits import VerifierTraits, strategy_traits, verifier_traits
from reasoner.types import Problem, Sampling

DETERMINING = ("backend", "tasks", "split", "problems", "model", "weights", "verifier", "seed")
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
class Recording:
    """A task's pool, as every replay of it needs it."""

    grid: Grid
    records: Sequence[Record]
    sampling: Sampling
    judge: VerifierTraits

    @property
    def scored(self) -> bool:
        """True if the pool has scores."""
        return any(s.score is not None for record in self.records for s in record.samples)

    @property
    def has_lengths(self) -> bool:
        """True if the tokens of every solution are known."""
        return all(s.tokens for record in self.records for s in record.samples)

    @property
    def fewest(self) -> int:
        """The fewest solutions of a problem that has any."""
        return min(len(record.samples) for record in self.records if record.samples)

    @classmethod
    def of(cls, source: RunFolder, task: str) -> Recording:
        """Read the pool of a task; raises as `pool_of`."""
        grid, records = source.grid, pool_of(source, task)
        longest = max(sample.tokens for record in records for sample in record.samples)
        sampled = grid.sampling.get(task, Sampling())
        sampling = Sampling(temperature=sampled.temperature, max_tokens=max(1, longest))
        return cls(grid, records, sampling, _judge(grid.verifier))

    async def solve(self, spec: Spec, record: Record, order: Sequence[int]) -> Result:
        """Have the strategy of `spec` search among the solutions of a problem, in one order."""
        answers = {answer_text(sample.text): sample.answer for sample in record.samples}
        return await solve(
            Problem(record.problem, record.question),
            sized(spec.strategy, spec.n),
            RecordedModel(spec.model, record, order, self.sampling),
            RecordedScores(record, self.judge.ceiling) if spec.verifier and self.scored else None,
            sampling=self.sampling,
            extract=answers.get,
            seed=spec.seed,
            raising=False,
        )


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
        await _try(recordings[spec.task], spec, source.path)
    with Database(out) as database:
        for task, recording in recordings.items():
            if pool := grid.pool(task):
                _copy(recording.records, Store(database, pool, environment))
        grid.save(out)
        for spec in _replayed(grid):
            await _run(recordings[spec.task], settings, Store(database, spec, environment))
    return grid


def _replayed(grid: Grid) -> Iterator[Spec]:
    """Yield the experiments that are replayed."""
    for task in grid.tasks:
        yield from (grid.spec(task, s, n) for s in grid.searches for n in grid.sizes(s))


async def _try(recording: Recording, spec: Spec, source: Path) -> None:
    """Refuse a strategy that the pool cannot answer: by its traits, its size, and on the first problem.

    Raises:
        ConfigError: it asks for what the pool does not have.
    """
    _check_kind(recording, spec, source)
    first = next(record for record in recording.records if record.samples)
    model = RecordedModel(spec.model, first, (), recording.sampling)
    scores = RecordedScores(first, recording.judge.ceiling) if spec.verifier else None
    check_suitable(sized(spec.strategy, spec.n), model, scores)
    result = await recording.solve(spec, first, range(len(first.samples)))
    if isinstance(result.cause, ConfigError):
        raise ConfigError(f"strategy {clipped(spec.strategy, 60)!r}: {result.cause}")


def _check_kind(recording: Recording, spec: Spec, source: Path) -> None:
    """Raise for the first reason why the pool cannot answer a strategy, with what would work."""
    strategy, pool = sized(spec.strategy, spec.n), shown(source)
    needs, most = strategy_traits(strategy), getattr(strategy, "n", 1)
    whole = "replay one that samples whole solutions, such as adaptive-majority, esc or short-m"
    rerank = f"with `reasoner rerank {pool} --verifier NAME`, and replay the result"
    reasons = {
        f"samples steps or continues solutions, and {pool} has whole ones only; {whole}": (
            needs.scores_steps or needs.continues
        ),
        f"reads the confidence of each token, which recorded solutions do not have; {whole}": (
            needs.confidences > 0
        ),
        f"may ask for {most} solutions, and a problem in {pool} has {recording.fewest}; choose --n"
        f" {recording.fewest} or less": most > recording.fewest,
        f"needs scores, and the solutions in {pool} have none; score them {rerank}": (
            needs.verifier == "required" and not recording.scored
        ),
        "scores a part of the solutions, and the verifier of these compared all of them; score them one"
        f" by one {rerank}": spec.verifier is not None and recording.judge.comparative,
        f"goes by the length of solutions, and {pool} does not tell the tokens of each; replay one that"
        " does not, such as adaptive-majority": needs.watches and not recording.has_lengths,
    }
    for reason, applies in reasons.items():
        if applies:
            raise ConfigError(f"strategy {clipped(spec.strategy, 40)!r} {reason}")


async def _run(recording: Recording, settings: Replay, store: Store) -> None:
    """Replay one experiment on the problems that have no record of it yet."""
    done = store.done()
    for record in recording.records:
        if record.problem not in done:
            store.append(await _attempt(recording, settings, store.spec, record))


async def _attempt(recording: Recording, settings: Replay, spec: Spec, record: Record) -> Record:
    """Return the record of a problem, averaged over the orders; one that failed stays failed."""
    if not record.samples:
        return record.model_copy(update={"spend": Spend()})
    tries = list[Record]()
    for number in range(settings.orders):
        result = await recording.solve(spec, record, settings.order(record, number))
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


def _copy(records: Sequence[Record], store: Store) -> None:
    """Copy a pool, so that what it decides stands beside the replays."""
    done = store.done()
    for record in records:
        if record.problem not in done:
            store.append(record)


def _judge(verifier: str | None) -> VerifierTraits:
    """Return the traits of the verifier that scored a pool; the default ones where it is not known."""
    if not verifier or parse_spec(verifier)[0] == RECORDED:
        return VerifierTraits()
    judge = verifiers.load(verifier)
    if isinstance(getattr(judge, "traits", None), property):  # They depend on its settings.
        judge = verifiers.make(verifier)
    return verifier_traits(judge)


def refuse_decided(names: Sequence[str]) -> None:
    """Refuse strategies that need no replay.

    Raises:
        ConfigError: the pool as a whole decides one, or it samples in another way.
    """
    for name in names:
        base = parse_spec(name)[0]
        if base in POOLED:
            raise ConfigError(
                f"{base!r} is decided by the whole pool, at every size, and stands in the report without a"
                " replay; name a strategy that stops early, such as adaptive-majority"
            )
        if base == GREEDY:
            raise ConfigError("'greedy' samples at temperature 0, which no pool of samples holds")
