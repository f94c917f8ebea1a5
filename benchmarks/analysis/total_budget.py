"""Accuracy at a total budget: recorded samples shared out by `pool`, against as many for every problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from reasoner.benchmarks.analysis.curves import samples
from reasoner.benchmarks.analysis.equal_cost import COSTS, BestOfNCurve, Rival
from reasoner.benchmarks.analysis.shared_samples import (
    ROUNDING,
    CostPerSample,
    DrawnSamples,
    PooledScores,
    PooledVotes,
    Shares,
    share_out,
)
from reasoner.benchmarks.stats.paired import paired
from reasoner.benchmarks.stats.pool import Pool
from reasoner.benchmarks.stats.proportion import share
from reasoner.benchmarks.store.grid import BEST, MAJORITY
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError, StoreError
from reasoner.naming import parse_spec
from reasoner.registry import verifiers
from reasoner.schema import Frozen
from reasoner.search.pool import BudgetPool
from reasoner.traits import verifier_traits

KINDS = dict(zip(("tokens", "flops"), COSTS, strict=True))
"""The fields of costs, by the name of their kind."""
ORDERS = 16
"""Random orders of the samples that are averaged."""


class TotalBudgetRow(Frozen):
    """One total on one task: the accuracy of uniform spending, and of a pool that spends at most as much.

    `sizes` are the samples of each problem with uniform spending: one size, or two between which it is
    interpolated; `uniform_spent` differs from `total` only where it can spend no more. With the pool, `reached`
    is the share of problems with a sample, `samples` their mean number and `most` the largest.
    """

    task: str
    choose: str
    cost: str
    problems: int
    total: float
    sizes: tuple[int, ...]
    uniform_spent: float
    uniform: float
    spent: float
    accuracy: float
    ci_low: float
    ci_high: float
    gain: float
    gain_low: float
    gain_high: float
    p: float
    reached: float
    samples: float
    most: int


@dataclass(frozen=True, slots=True)
class TotalBudgetPlan:
    """The settings of `pool`, the kind of cost, and the totals; without any, those of the run's sizes.

    `ceiling` is the score that resolves a problem; None for the highest that the run's verifier gives.
    """

    rule: BudgetPool = field(default_factory=BudgetPool)
    cost: str = "tokens"
    totals: tuple[float, ...] = ()
    ceiling: float | None = None
    orders: int = ORDERS


def at_totals(run: RunFolder, plan: TotalBudgetPlan) -> list[TotalBudgetRow]:
    """Return a row for each task of `run` and each total.

    Raises:
        ConfigError: a total does not allow one sample of each problem.
        StoreError: the run has no samples, or does not tell what they cost.
    """
    return [row for task in run.grid.tasks for row in _task(run, task, plan)]


def ceiling_of(verifier: str | None) -> float:
    """Return the highest score that a verifier gives; 1 where it is not known."""
    if verifier is None or parse_spec(verifier)[0] not in verifiers.names():
        return 1.0
    kind = verifiers.load(verifier)
    traits = verifier_traits(kind)
    built = kind if traits.own_model or traits.oracle else verifiers.make(verifier)
    return verifier_traits(built).ceiling


def _task(run: RunFolder, task: str, plan: TotalBudgetPlan) -> Iterator[TotalBudgetRow]:
    records, pool = run.pool(task), samples(run, task)
    if not pool.valid.any():
        raise StoreError(f"{run.path} has no samples of {task}; run best-of-n or majority there")
    by_score = plan.rule.choose == "score" and not np.isnan(pool.scores[pool.valid]).all()
    uniform, kind = BestOfNCurve(pool, records, BEST if by_score else MAJORITY), KINDS[plan.cost]
    if not uniform.costs[kind][0]:
        raise StoreError(f"{run.path} does not tell the {plan.cost} of {task}")
    totals = _totals(run, plan, uniform.costs[kind], len(records))
    costs, start = CostPerSample.of(records, kind, by_score), _start(run, pool, plan, by_score)
    orders = [
        share_out(start, costs, plan.rule, totals, np.random.default_rng((run.grid.seed, order)))
        for order in range(plan.orders)
    ]
    named = {"task": task, "choose": "score" if by_score else "vote", "cost": plan.cost}
    for total, shares in zip(totals, zip(*orders, strict=True), strict=True):
        rival = uniform.at(kind, total / len(records))
        yield TotalBudgetRow.model_validate({**named, "total": total, **_results(shares, rival)})


def _totals(
    run: RunFolder, plan: TotalBudgetPlan, costs: Sequence[float], problems: int
) -> list[float]:
    """Return the totals in rising order: those asked for, or what each size of the run costs."""
    least = costs[0] * problems
    if plan.totals and min(plan.totals) < least * (1 - ROUNDING):
        raise ConfigError(
            f"a total of {min(plan.totals):,.6g} {plan.cost} is less than one sample of each problem costs in"
            f" {run.path}, {least:,.6g}"
        )
    sizes = sorted({min(n, len(costs)) for n in run.grid.ns})
    return sorted(plan.totals) or [costs[n - 1] * problems for n in sizes]


def _start(
    run: RunFolder, pool: Pool, plan: TotalBudgetPlan, by_score: bool
) -> Callable[[int], DrawnSamples]:
    """Return a function that begins a problem, of which nothing is drawn yet."""
    if not by_score:
        return lambda problem: PooledVotes(pool, problem, plan.rule.threshold)
    ceiling = plan.ceiling or ceiling_of(run.grid.verifier)
    return lambda problem: PooledScores(pool, problem, ceiling)


def _results(shares: Sequence[Shares], rival: Rival) -> dict[str, object]:
    right = np.mean([s.right for s in shares], axis=0)
    drawn = np.array([s.drawn for s in shares])
    accuracy, test = share(right), paired(right, rival.values)
    return {
        "problems": len(right),
        "sizes": rival.sizes,
        "uniform_spent": rival.spent * len(right),
        "uniform": float(rival.values.mean()),
        "spent": float(np.mean([s.spent for s in shares])),
        "accuracy": accuracy.value,
        "ci_low": accuracy.low,
        "ci_high": accuracy.high,
        "gain": test.difference.value,
        "gain_low": test.difference.low,
        "gain_high": test.difference.high,
        "p": test.p,
        "reached": float((drawn > 0).mean()),
        "samples": float(drawn.mean()),
        "most": int(drawn.max()),
    }
