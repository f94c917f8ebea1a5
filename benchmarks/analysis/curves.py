"""From stored records to points on a curve; nothing is generated here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reasoner.benchmarks.stats import (
    Pool,
    best_of_at_ks,
    majority_at_ks,
    pass_at_ks,
    weighted_at_ks,
)
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.proportion import share
from reasoner.benchmarks.store.grid import BEST, COVERAGE, GREEDY, MAJORITY, WEIGHTED, Grid
from reasoner.benchmarks.store.records import Record, Spec, Spend
from reasoner.benchmarks.store.results import read
from reasoner.schema import Frozen

VOTES = {MAJORITY: majority_at_ks, WEIGHTED: weighted_at_ks}
CHOICES = {COVERAGE: pass_at_ks, BEST: best_of_at_ks}


class Point(Frozen):
    """One strategy at one size on one task; costs are means per problem, seconds their tail as well."""

    task: str
    strategy: str
    verifier: str | None
    n: int
    budget: dict[str, float] | None
    problems: int
    accuracy: float
    ci_low: float
    ci_high: float
    generated_tokens: float
    prompt_tokens_fresh: float
    prompt_tokens_cached: float
    verifier_tokens: float
    flops: float
    seconds: float
    seconds_median: float
    seconds_p95: float
    oracle: bool = False
    split: str = "test"


@dataclass(frozen=True)
class Outcome:
    """How often each problem is solved by one strategy at one size, and at what cost.

    `places` are where the problems stand in their split.
    """

    spec: Spec
    places: Sequence[int]
    values: Floats
    spends: Sequence[Spend]
    oracle: bool = False

    def spent(self, cost: str) -> Floats:
        """What each problem cost: a field of `Spend`."""
        return np.array([getattr(s, cost) for s in self.spends], float)

    def on(self, places: Set[int]) -> Outcome:
        """The same on some of its problems only."""
        kept = [row for row, place in enumerate(self.places) if place in places]
        return replace(
            self,
            places=[self.places[row] for row in kept],
            values=self.values[kept],
            spends=[self.spends[row] for row in kept],
        )

    def point(self) -> Point:
        """The mean over problems with its 95 % interval."""
        accuracy = share(self.values)
        fields = ("generated_tokens", "prompt_tokens_fresh", "prompt_tokens_cached",
                  "verifier_tokens", "flops", "seconds")  # fmt: skip
        costs: dict[str, Any] = {
            f: float(np.mean([getattr(s, f) for s in self.spends])) for f in fields
        }
        median, tail = np.quantile([s.seconds for s in self.spends], (0.5, 0.95))
        spec = self.spec
        return Point(
            task=spec.task,
            strategy=spec.strategy,
            verifier=spec.verifier,
            n=spec.n,
            budget=spec.budget,
            problems=len(self.values),
            accuracy=accuracy.value,
            ci_low=accuracy.low,
            ci_high=accuracy.high,
            oracle=self.oracle,
            split=spec.split,
            seconds_median=float(median),
            seconds_p95=float(tail),
            **costs,
        )


def points(grid: Grid, out: Path) -> list[Point]:
    """Every point that the results in `out` can answer."""
    return [o.point() for task in grid.tasks for o in outcomes(grid, task, out)]


def attempted(points: Iterable[Point]) -> str:
    """Return how many problems of which split are behind points: one number, or the fewest and the most."""
    first, *others = points
    counts = sorted({first.problems, *(p.problems for p in others)})
    count = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{count} {first.split} problems"


def rising(line: Iterable[Outcome], cost: str) -> list[Outcome]:
    """One strategy's sizes from the cheapest; one that costs no more than the one before is left out."""
    kept, last = list[Outcome](), -np.inf
    for outcome in sorted(line, key=lambda o: float(o.spent(cost).mean())):
        if (mean := float(outcome.spent(cost).mean())) > last:
            kept.append(outcome)
            last = mean
    return kept


def outcomes(grid: Grid, task: str, out: Path) -> Iterator[Outcome]:
    """One outcome per strategy and size, strategies in the grid's order, coverage last."""
    pool = grid.pool(task)
    samples = records(grid, pool, out) if pool else []
    for strategy in grid.strategies:
        if strategy in grid.pooled:
            yield from decide(samples, grid, task, strategy)
        else:
            specs = [grid.spec(task, strategy, n) for n in grid.sizes(strategy)]
            yield from _direct(grid, out, specs)
        if strategy != GREEDY:
            budgeted = [grid.spec(task, strategy, max(grid.ns), b) for b in grid.budgets]
            yield from _direct(grid, out, budgeted)
    yield from decide(samples, grid, task, COVERAGE)


def decide(pool: Sequence[Record], grid: Grid, task: str, strategy: str) -> Iterator[Outcome]:
    """What `strategy` would have answered with the first `k` of the pool, for every `k`."""
    if not pool:
        return
    values, places = decided(pool, strategy, grid.ns, grid.seed), [r.index for r in pool]
    verified = strategy in (BEST, WEIGHTED)
    oracle = strategy == COVERAGE or (verified and pool[0].oracle)
    for column, k in enumerate(grid.ns):
        spec = grid.spec(task, strategy, k)
        if strategy == COVERAGE:
            spec = spec.model_copy(update={"verifier": None})
        spends = [portion(r, k, verified) for r in pool]
        yield Outcome(spec, places, values[:, column], spends, oracle)


def portion(record: Record, k: int, verified: bool) -> Spend:
    """The cost of `k` samples of a pool, as a run that draws `k` is charged.

    The first sample computes the prompt. Each further one computes again the tail that no full cache
    block holds. Decoding and scoring are in proportion, and so are seconds: a share of the time that the
    pool took, not a latency that was measured.
    """
    n, spend = max(1, len(record.samples)), record.spend
    share = min(1.0, k / n)
    again = min(1.0, (k - 1) / (n - 1)) if n > 1 else 1.0
    first = min(record.prompt_tokens, spend.prompt_tokens_fresh)
    prompt, tails, decoding = _flops(record)
    return Spend(
        generated_tokens=share * spend.generated_tokens,
        prompt_tokens_fresh=first + again * (spend.prompt_tokens_fresh - first),
        prompt_tokens_cached=again * spend.prompt_tokens_cached,
        verifier_tokens=share * spend.verifier_tokens if verified else 0,
        generator_flops=prompt + again * tails + share * decoding,
        verifier_flops=share * spend.verifier_flops if verified else 0,
        seconds=share * spend.seconds,
    )


def _flops(record: Record) -> tuple[float, float, float]:
    """A pool's FLOPs: the prompt once, its tails for the further samples, and decoding.

    Where a record does not tell those of the tails, a token of them costs what one of the prompt does.
    """
    total = record.spend.generator_flops
    prompt, tails = min(record.prompt_flops, total), record.tails_flops
    if tails is None:
        again = record.spend.prompt_tokens_fresh - record.prompt_tokens
        tails = prompt * max(0.0, again) / max(1, record.prompt_tokens)
    tails = min(tails, total - prompt)
    return prompt, tails, total - prompt - tails


def records(grid: Grid, spec: Spec, out: Path) -> list[Record]:
    """What `out` holds of an experiment on the grid's problems, in their order."""
    count = grid.attempted(spec.strategy)
    return sorted((r for r in read(out, spec) if r.index < count), key=lambda r: r.index)


def decided(pool: Sequence[Record], strategy: str, ks: Sequence[int], seed: int = 0) -> Floats:
    """How often `strategy` is right with `k` samples of each problem, for each of `ks`: (problems, ks).

    A failed problem counts as wrong, and one with fewer samples with all that it has.
    """
    if strategy in VOTES:
        return VOTES[strategy](sample_pool(pool), ks, seed)
    return CHOICES[strategy](sample_pool(pool), ks)


def _direct(grid: Grid, out: Path, specs: Sequence[Spec]) -> Iterator[Outcome]:
    for spec in specs:
        if found := records(grid, spec, out):
            values = np.array([float(r.correct) for r in found])
            places, spends = [r.index for r in found], [r.spend for r in found]
            yield Outcome(spec, places, values, spends, found[0].oracle)


def sample_pool(records: Sequence[Record]) -> Pool:
    """Return the samples of `records` as arrays, in their order; a failed problem has none."""
    return Pool.of([record.samples for record in records])
