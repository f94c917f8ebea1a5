"""Strategies against best-of-N at equal cost, paired problem by problem."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import groupby
from math import log

import numpy as np

from reasoner.benchmarks.analysis.curves import Outcome, chosen_right, outcomes, samples
from reasoner.benchmarks.stats import Pool
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.holm import holm
from reasoner.benchmarks.stats.paired import paired
from reasoner.benchmarks.stats.proportion import share
from reasoner.benchmarks.store.grid import BEST, COVERAGE
from reasoner.benchmarks.store.pool_costs import PoolCosts
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError
from reasoner.schema import Frozen

COSTS = ("generated_tokens", "flops")
NEAR = 1.02
"""Costs that differ by less are equal."""
ROUNDING = 1e-9
"""Costs that differ by so little are those of one size."""
LEVEL = 0.05


class ComparisonRow(Frozen):
    """One strategy in one size on one task; `gain` is its accuracy less best-of-N's at the same cost.

    The cost is the mean over problems, `spent`. `rivals` are the sizes of best-of-N there: one, or two
    neighbours between which best-of-N is `interpolated`. Where best-of-N cannot spend as much, or as
    little, its nearest size stands: then `rival_spent` differs, and the costs are not `equal`.
    `p`, `exact` and `detectable` are those of `Paired`, and `p_holm` is `p` adjusted for the
    `comparisons` on the task at equal cost of that kind. The best-of-N that all are compared with has none
    of these.
    """

    task: str
    cost: str
    strategy: str
    verifier: str | None
    problems: int
    n: int
    spent: float
    accuracy: float
    ci_low: float
    ci_high: float
    rivals: tuple[int, ...]
    rival_spent: float
    rival_accuracy: float
    interpolated: bool
    equal: bool
    gain: float = 0
    gain_low: float = 0
    gain_high: float = 0
    p: float | None = None
    exact: bool = False
    p_holm: float | None = None
    comparisons: int = 0
    detectable: float | None = None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Rival:
    """Best-of-N at some cost: its sizes, what it spends and how often it solves each problem."""

    sizes: tuple[int, ...]
    spent: float
    values: Floats


@dataclass(frozen=True)
class BestOfNCurve:
    """Best-of-N, or another choice among a pool's samples, in every size from one to all of them."""

    pool: Pool
    records: Sequence[Record]
    strategy: str = BEST

    @cached_property
    def sizes(self) -> range:
        """From one to the most samples of a problem."""
        return range(1, max(1, int(self.pool.sizes.max(initial=0))) + 1)

    @cached_property
    def costs(self) -> dict[str, list[float]]:
        """The mean cost of a problem in each size, for each kind of cost."""
        costs = PoolCosts.of(self.records)
        portions = [costs.portion(n, verified=self.strategy == BEST) for n in self.sizes]
        return {kind: [float(np.mean(p[kind])) for p in portions] for kind in COSTS}

    def values(self, n: int) -> Floats:
        """Return the chance that `n` samples solve each problem."""
        if n not in self._values:
            self._values[n] = chosen_right(self.pool, self.strategy, [n])[:, 0]
        return self._values[n]

    @cached_property
    def _values(self) -> dict[int, Floats]:
        """The values computed so far: many costs have the same neighbours."""
        return {}

    def at(self, kind: str, cost: float) -> Rival:
        """Return best-of-N at a mean cost of a kind.

        Between the two neighbouring sizes, each problem's value is on the line over log cost. Beyond the
        smallest and the largest nothing is extrapolated.
        """
        costs = self.costs[kind]
        cheaper = bisect_right(costs, cost * (1 + ROUNDING))
        low, high = max(1, cheaper), min(cheaper + 1, len(self.sizes))
        least, most = costs[low - 1], costs[high - 1]
        if not least * (1 + ROUNDING) < cost < most:
            return Rival((low,), least, self.values(low))
        weight = log(cost / least) / log(most / least)
        values = (1 - weight) * self.values(low) + weight * self.values(high)
        return Rival((low, high), cost, values)


def compare(runs: Sequence[RunFolder], sizes: Sequence[int] = ()) -> list[ComparisonRow]:
    """Every strategy of `runs` in every size that it ran in, against best-of-N at what it spent.

    With `sizes`, in these only, and a strategy of a single size in that. Of a task that several runs
    have, best-of-N is the first one's, and the strategies of the others are called by their run too. A
    cost that the results do not tell, as recorded ones may not, is left out.

    Raises:
        ConfigError: there is no best-of-N to compare with, no cost at all is told, none of `sizes` was
            run, or runs of one task are on different problems.
    """
    tasks = dict.fromkeys(task for run in runs for task in run.grid.tasks)
    rows = [row for task in tasks for row in _task(task, runs, sizes)]
    if rows and not any(row.spent for row in rows):
        raise ConfigError(f"{runs[0].path} has neither tokens nor FLOPs: no costs can be equal")
    tables = groupby((row for row in rows if row.spent), lambda row: (row.task, row.cost))
    return [row for _, table in tables for row in judged(table)]


def judged(table: Iterable[ComparisonRow]) -> Iterator[ComparisonRow]:
    """The rows of one task at equal cost of one kind, each with what it says among all of them."""
    rows = list(table)
    compared = [row for row in rows if row.p is not None]
    adjusted = iter(holm([row.p for row in compared if row.p is not None]))
    for row in rows:
        fields = {"p_holm": next(adjusted), "comparisons": len(compared)} if row in compared else {}
        among = row.model_copy(update=fields)
        yield among.model_copy(update={"verdict": verdict(among)})


def verdict(row: ComparisonRow) -> str:
    """Return the winner in words, or the difference that could have been seen if there is none."""
    if row.p_holm is None:
        return ""
    if row.gain_low <= 0 <= row.gain_high:
        return f"within noise: could have seen {row.detectable:.3f}" + _unequal(row)
    winner = row.strategy if row.gain > 0 else BEST
    lone = "" if decided(row) else f" alone, not among {row.comparisons}"
    return f"{winner} wins{lone}{_unequal(row)}"


def decided(row: ComparisonRow) -> bool:
    """Return True if a gain or loss is significant among all comparisons of its table."""
    return row.p_holm is not None and (row.p_holm <= LEVEL or row.comparisons == 1)


def _unequal(row: ComparisonRow) -> str:
    if row.equal:
        return ""
    return f", but best-of-{row.rivals[0]} spends {row.rival_spent / row.spent:.2g} times as much"


def together(task: str, runs: Sequence[RunFolder]) -> list[Outcome]:
    """Return the outcomes of a task on the problems that every strategy attempts and best-of-N has.

    A size that lacks some of these problems is left out.

    Raises:
        ConfigError: there is no best-of-N, or the runs are on different problems.
    """
    having = [run for run in runs if task in run.grid.tasks]
    if len({(run.grid.split, run.grid.problems) for run in having}) > 1:
        raise ConfigError(f"the runs are on different problems of {task}, which cannot be paired")
    results = [o for place, run in enumerate(having) for o in _outcomes(task, run, place > 0)]
    if not (best_places := [o.places for o in results if o.spec.strategy == BEST]):
        missing = f"{having[0].path} has no {BEST} on {task} to compare with"
        raise ConfigError(f"{missing}; add --strategy {BEST}")
    least = min(run.grid.attempted(s) for run in having for s in run.grid.strategies)
    shared = {place for place in best_places[0] if place < least}
    return [o.on(shared) for o in results if shared <= set(o.places)]


def _task(task: str, runs: Sequence[RunFolder], sizes: Sequence[int]) -> Iterator[ComparisonRow]:
    results = [o for o in together(task, runs) if o.spec.budget is None]
    plain = [o for o in results if o.spec.strategy != COVERAGE]
    have = sorted({o.spec.n for o in plain})
    if sizes and not set(sizes) & set(have):
        sizes_text = ", ".join(map(str, have))
        raise ConfigError(
            f"{task} was run in sizes {sizes_text}, none of those asked for; change --n"
        )
    chosen = list(_chosen(plain, sizes))
    best = _best_of_n(task, runs, set(plain[0].places))
    for cost in COSTS:
        for outcome in chosen:
            yield _row(outcome, cost, best)


def _chosen(results: Sequence[Outcome], sizes: Sequence[int]) -> Iterator[Outcome]:
    """The outcomes of `sizes`, and those of strategies that have one size only."""
    for outcome in results:
        own = {o.spec.n for o in results if o.spec.strategy == outcome.spec.strategy}
        if not sizes or outcome.spec.n in sizes or len(own) == 1:
            yield outcome


def _best_of_n(task: str, runs: Sequence[RunFolder], places: Set[int]) -> BestOfNCurve:
    """Return best-of-N on the samples of the first run that has the task."""
    run = next(run for run in runs if task in run.grid.tasks)
    rows = [row for row, record in enumerate(run.pool(task)) if record.index in places]
    pool = samples(run, task)
    parts = {f.name: getattr(pool, f.name)[rows] for f in fields(pool)}
    return BestOfNCurve(Pool(**parts), [run.pool(task)[row] for row in rows])


def _outcomes(task: str, run: RunFolder, named: bool) -> Iterator[Outcome]:
    """Yield a run's outcomes on a task; if `named`, the run's name follows each strategy's."""
    for outcome in outcomes(run, task):
        if not named:
            yield outcome
        elif outcome.spec.strategy != COVERAGE:
            strategy = f"{outcome.spec.strategy} ({run.path.name})"
            spec = outcome.spec.model_copy(update={"strategy": strategy})
            yield replace(outcome, spec=spec)


def _row(outcome: Outcome, cost: str, best: BestOfNCurve) -> ComparisonRow:
    spec, spent = outcome.spec, float(outcome.spent(cost).mean())
    accuracy, rival = share(outcome.values), best.at(cost, spent)
    row = ComparisonRow(
        task=spec.task,
        cost=cost,
        strategy=spec.strategy,
        verifier=spec.verifier,
        problems=len(outcome.values),
        n=spec.n,
        spent=spent,
        accuracy=accuracy.value,
        ci_low=accuracy.low,
        ci_high=accuracy.high,
        rivals=rival.sizes,
        rival_spent=rival.spent,
        rival_accuracy=float(rival.values.mean()),
        interpolated=len(rival.sizes) > 1,
        equal=spent / NEAR <= rival.spent <= spent * NEAR,
    )
    return row if spec.strategy == BEST else _paired(row, outcome.values, rival.values)


def _paired(row: ComparisonRow, values: Floats, rival: Floats) -> ComparisonRow:
    test = paired(values, rival)
    fields = {
        "gain": test.difference.value,
        "gain_low": test.difference.low,
        "gain_high": test.difference.high,
        "p": test.p,
        "exact": test.exact,
        "detectable": test.detectable,
    }
    return row.model_copy(update=fields)
