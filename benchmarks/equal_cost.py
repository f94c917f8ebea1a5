"""Strategies at equal cost, problem by problem: what each gains on best-of-N."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from reasoner.benchmarks.curves import Outcome, outcomes, rising
from reasoner.benchmarks.estimators import Floats
from reasoner.benchmarks.estimators.holm import holm
from reasoner.benchmarks.estimators.paired import paired
from reasoner.benchmarks.estimators.proportion import share as proportion
from reasoner.benchmarks.grid import BEST, COVERAGE, Grid
from reasoner.benchmarks.spec import Frozen
from reasoner.errors import ConfigError

COSTS = ("generated_tokens", "flops")
SIZES = (4, 16, 64)
"""Budgets by default: what best-of-N costs at these sizes."""
NEAR = 1.02
"""A smallest size that costs so much more than a budget still meets it: `spent` tells."""


LEVEL = 0.05


class Row(Frozen):
    """One strategy on one task at one budget; `gain` is its accuracy less best-of-N's.

    `spent` is below `budget` where a strategy stops early or was run in no larger size. `sizes` are
    the one or two that it was run in and that the budget lies between. `p`, `exact` and `detectable` are
    those of `Paired`, and `p_holm` is `p` adjusted for the `comparisons` on the task at equal cost of
    that kind. Best-of-N itself, in the run it is taken from, has none of these.
    """

    task: str
    cost: str
    budget: float
    strategy: str
    verifier: str | None
    problems: int
    sizes: tuple[int, ...]
    spent: float
    accuracy: float
    ci_low: float
    ci_high: float
    gain: float
    gain_low: float
    gain_high: float
    p: float | None = None
    exact: bool = False
    p_holm: float | None = None
    comparisons: int = 0
    detectable: float | None = None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """One strategy's sizes on one task: mean costs, rising, and values of shape (sizes, problems)."""

    strategy: str
    verifier: str | None
    sizes: tuple[int, ...]
    costs: Floats
    values: Floats

    def at(self, budget: float) -> Share | None:
        """The strategy at a mean cost of `budget`; None where its smallest size costs clearly more.

        Between two sizes some problems are given the one and some the other, so many that the mean
        cost is the budget: each problem's value is then the same mean of its two values.
        """
        if budget < self.costs[0]:
            near = self.costs[0] <= NEAR * budget
            return Share(self.sizes[:1], float(self.costs[0]), self.values[0]) if near else None
        below = int(np.searchsorted(self.costs, budget, side="right")) - 1
        if below == len(self.costs) - 1:
            return Share(self.sizes[below:], float(self.costs[below]), self.values[below])
        low, high = self.costs[below : below + 2]
        share = (budget - low) / (high - low)
        mixed = (1 - share) * self.values[below] + share * self.values[below + 1]
        return Share(self.sizes[below : below + 2], budget, mixed)


@dataclass(frozen=True, slots=True)
class Share:
    """What a curve is worth at one cost."""

    sizes: tuple[int, ...]
    spent: float
    values: Floats


Run = tuple[Grid, Path]
"""What was asked, and the folder of what came of it."""


def compare(runs: Sequence[Run], sizes: Sequence[int] = SIZES) -> list[Row]:
    """Every strategy of `runs` against best-of-N, at the costs of best-of-N at `sizes`.

    Of a task that several runs have, best-of-N is the first one's, and the strategies of the others are
    called by their run too. A cost that the results do not tell, as recorded ones may not, is left out.

    Raises:
        ConfigError: there is no best-of-N to compare with, no cost at all is told, or runs of one task
            are on different problems.
    """
    tasks = dict.fromkeys(task for grid, _ in runs for task in grid.tasks)
    found = [row for task in tasks for row in _task(task, runs, sizes)]
    if found and not any(row.budget for row in found):
        raise ConfigError(f"{runs[0][1]} tells neither tokens nor FLOPs: no costs can be equal")
    tables = groupby((row for row in found if row.budget), lambda row: (row.task, row.cost))
    return [row for _, table in tables for row in judged(table)]


def judged(table: Iterable[Row]) -> Iterator[Row]:
    """The rows of one task at equal cost of one kind, each with what it says among all of them."""
    rows = list(table)
    compared = [row for row in rows if row.p is not None]
    adjusted = iter(holm([row.p for row in compared if row.p is not None]))
    for row in rows:
        told = {"p_holm": next(adjusted), "comparisons": len(compared)} if row in compared else {}
        among = row.model_copy(update=told)
        yield among.model_copy(update={"verdict": verdict(among)})


def verdict(row: Row) -> str:
    """Who wins, in words; where nobody does, what difference could have been seen."""
    if row.p_holm is None:
        return ""
    if row.gain_low <= 0 <= row.gain_high:
        return f"within noise: could have seen {row.detectable:.3f}"
    winner = row.strategy if row.gain > 0 else BEST
    lone = row.p_holm > LEVEL and row.comparisons > 1
    return f"{winner} wins" + (f" alone, not among {row.comparisons}" if lone else "")


def curves(found: Sequence[Outcome], cost: str) -> list[Curve]:
    """Outcomes by strategy; a size that costs more than a larger one does is left out."""
    plain = [o for o in found if o.spec.budget is None]
    names = dict.fromkeys(o.spec.strategy for o in plain)
    return [_curve(rising((o for o in plain if o.spec.strategy == n), cost), cost) for n in names]


def together(task: str, runs: Sequence[Run]) -> list[Outcome]:
    """What `runs` have of a task on the problems that every strategy was to attempt and best-of-N has.

    A size that was stopped before it had all of these is left out.

    Raises:
        ConfigError: there is no best-of-N, or the runs are on different problems.
    """
    having = [(grid, out) for grid, out in runs if task in grid.tasks]
    if len({(grid.split, grid.problems) for grid, _ in having}) > 1:
        raise ConfigError(f"the runs are on different problems of {task}, which cannot be paired")
    found = [o for place, run in enumerate(having) for o in _outcomes(task, run, place > 0)]
    if not (best_places := [o.places for o in found if o.spec.strategy == BEST]):
        told = f"{having[0][1]} has no {BEST} on {task} to compare with"
        raise ConfigError(f"{told}; add --strategy {BEST}")
    least = min(grid.attempted(s) for grid, _ in having for s in grid.strategies)
    shared = {place for place in best_places[0] if place < least}
    return [o.on(shared) for o in found if shared <= set(o.places)]


def _task(task: str, runs: Sequence[Run], sizes: Sequence[int]) -> Iterator[Row]:
    found = together(task, runs)
    for cost in COSTS:
        lines = {c.strategy: c for c in curves(found, cost)}
        best = lines[BEST]
        for size in (s for s in sizes if s in best.sizes):
            budget = float(best.costs[best.sizes.index(size)])
            for line in lines.values():
                if line.strategy != COVERAGE and (share := line.at(budget)):
                    yield _row(task, cost, budget, line, share, best)


def _outcomes(task: str, run: Run, named: bool) -> Iterator[Outcome]:
    """What a run has of a task; its strategies are called by its name too if they are to be."""
    grid, out = run
    for outcome in outcomes(grid, task, out):
        if not named:
            yield outcome
        elif outcome.spec.strategy != COVERAGE:
            strategy = f"{outcome.spec.strategy} ({out.name})"
            spec = outcome.spec.model_copy(update={"strategy": strategy})
            yield replace(outcome, spec=spec)


def _row(task: str, cost: str, budget: float, line: Curve, share: Share, best: Curve) -> Row:
    reference = best.at(budget)
    assert reference is not None, "the budget is one of best-of-N's own costs"
    accuracy = proportion(share.values)
    row = Row(
        task=task,
        cost=cost,
        budget=budget,
        strategy=line.strategy,
        verifier=line.verifier,
        problems=len(share.values),
        sizes=share.sizes,
        spent=share.spent,
        accuracy=accuracy.value,
        ci_low=accuracy.low,
        ci_high=accuracy.high,
        gain=0,
        gain_low=0,
        gain_high=0,
    )
    if line.strategy == BEST:
        return row
    found = paired(share.values, reference.values)
    told = {
        "gain": found.difference.value,
        "gain_low": found.difference.low,
        "gain_high": found.difference.high,
        "p": found.p,
        "exact": found.exact,
        "detectable": found.detectable,
    }
    return row.model_copy(update=told)


def _curve(line: Sequence[Outcome], cost: str) -> Curve:
    return Curve(
        strategy=line[0].spec.strategy,
        verifier=line[0].spec.verifier,
        sizes=tuple(o.spec.n for o in line),
        costs=np.array([o.spent(cost).mean() for o in line]),
        values=np.array([o.values for o in line]),
    )
