"""Points of accuracy against cost, from stored records; nothing is generated here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reasoner.benchmarks.stats import (
    Pool,
    best_of_at_ks,
    majority_at_ks,
    majority_of_bests_at_ks,
    pass_at_ks,
    weighted_at_ks,
)
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.proportion import share
from reasoner.benchmarks.store.grid import BEST, BESTS, COVERAGE, GREEDY, MAJORITY, WEIGHTED
from reasoner.benchmarks.store.pool_costs import Costs, PoolCosts, costs_of
from reasoner.benchmarks.store.records import Record, Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.schema import Frozen

VOTES = {MAJORITY: majority_at_ks, WEIGHTED: weighted_at_ks, BESTS: majority_of_bests_at_ks}
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
    thinking_tokens: float = 0.0
    thinking_estimated: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the point as plain JSON values, with tokens of thinking only where there are any."""
        absent = set[str]() if self.thinking_tokens else {"thinking_tokens", "thinking_estimated"}
        return self.model_dump(exclude=absent)


@dataclass(frozen=True)
class Outcome:
    """The share of tries that solve each problem, and the costs, of one strategy at one size.

    `places` are the indices of the problems in their split.
    """

    spec: Spec
    places: Sequence[int]
    values: Floats
    costs: Costs
    oracle: bool = False

    def spent(self, cost: str) -> Floats:
        """Return the cost of each problem: a field of `Spend`, or `flops`."""
        return self.costs[cost]

    def on(self, places: Set[int]) -> Outcome:
        """Return the outcome on the problems at `places` only."""
        rows = [row for row, place in enumerate(self.places) if place in places]
        return replace(
            self,
            places=[self.places[row] for row in rows],
            values=self.values[rows],
            costs={name: column[rows] for name, column in self.costs.items()},
        )

    def point(self) -> Point:
        """Return the mean over problems with its 95 % interval."""
        accuracy = share(self.values)
        fields = ("generated_tokens", "prompt_tokens_fresh", "prompt_tokens_cached",
                  "verifier_tokens", "flops", "seconds", "thinking_tokens", "thinking_estimated")  # fmt: skip
        costs: dict[str, Any] = {f: float(np.mean(self.costs[f])) for f in fields}
        median, tail = np.quantile(self.costs["seconds"], (0.5, 0.95))
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


def points(run: RunFolder) -> list[Point]:
    """Return every point that the results of `run` determine."""
    return [o.point() for task in run.grid.tasks for o in outcomes(run, task)]


def attempted(points: Iterable[Point]) -> str:
    """Return the number of problems behind points, or the fewest and the most, and their split."""
    first, *others = points
    counts = sorted({first.problems, *(p.problems for p in others)})
    count = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{count} {first.split} problems"


def rising(line: Iterable[Outcome], cost: str) -> list[Outcome]:
    """Return one strategy's sizes from the cheapest on, without those that cost no more than the one before."""
    sizes, last = list[Outcome](), -np.inf
    for outcome in sorted(line, key=lambda o: float(o.spent(cost).mean())):
        if (mean := float(outcome.spent(cost).mean())) > last:
            sizes.append(outcome)
            last = mean
    return sizes


def outcomes(run: RunFolder, task: str) -> Sequence[Outcome]:
    """Return one outcome per strategy and size, strategies in the grid's order, coverage last."""
    return run.derive(_outcomes, task)


def samples(run: RunFolder, task: str) -> Pool:
    """Return the samples of `run.pool(task)` as arrays."""
    return run.derive(_samples, task)


def decided(pool: Sequence[Record], strategy: str, ks: Sequence[int], seed: int = 0) -> Floats:
    """Return the chance that `strategy` is right with `k` samples of each problem: (problems, ks).

    A failed problem counts as wrong. A problem with fewer samples counts with all that it has.
    """
    return chosen_right(sample_pool(pool), strategy, ks, seed)


def chosen_right(pool: Pool, strategy: str, ks: Sequence[int], seed: int = 0) -> Floats:
    """Return `decided` of samples as arrays."""
    if strategy in VOTES:
        return VOTES[strategy](pool, ks, seed)
    return CHOICES[strategy](pool, ks)


def sample_pool(records: Sequence[Record]) -> Pool:
    """Return the samples of `records` as arrays, in their order; a failed problem has none."""
    return Pool.of([record.samples for record in records])


def _samples(run: RunFolder, task: str) -> Pool:
    return sample_pool(run.pool(task))


def _outcomes(run: RunFolder, task: str) -> Sequence[Outcome]:
    grid, results = run.grid, list[Outcome]()
    for strategy in grid.strategies:
        if strategy in grid.pooled:
            results += _pooled(run, task, strategy)
        else:
            results += _direct(run, [grid.spec(task, strategy, n) for n in grid.sizes(strategy)])
        if strategy != GREEDY:
            budgeted = [grid.spec(task, strategy, max(grid.ns), b) for b in grid.budgets]
            results += _direct(run, budgeted)
    return (*results, *_pooled(run, task, COVERAGE))


def _pooled(run: RunFolder, task: str, strategy: str) -> Iterator[Outcome]:
    """Yield what `strategy` answers with the first `k` samples of the pool, for every `k`."""
    grid, pool = run.grid, run.pool(task)
    if not pool:
        return
    values, places = (
        chosen_right(samples(run, task), strategy, grid.ns, grid.seed),
        [r.index for r in pool],
    )
    verified = strategy in (BEST, WEIGHTED, BESTS)
    oracle = strategy == COVERAGE or (verified and pool[0].oracle)
    costs = run.derive(_pool_costs, task)
    for column, k in enumerate(grid.ns):
        spec = grid.spec(task, strategy, k)
        if strategy == COVERAGE:
            spec = spec.model_copy(update={"verifier": None})
        yield Outcome(spec, places, values[:, column], costs.portion(k, verified), oracle)


def _pool_costs(run: RunFolder, task: str) -> PoolCosts:
    return PoolCosts.of(run.pool(task))


def _direct(run: RunFolder, specs: Sequence[Spec]) -> Iterator[Outcome]:
    for spec in specs:
        if records := run.records(spec):
            values = np.array([float(r.correct) if r.share is None else r.share for r in records])
            places, costs = [r.index for r in records], costs_of([r.spend for r in records])
            yield Outcome(spec, places, values, costs, records[0].oracle)
