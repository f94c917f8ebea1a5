"""Accuracy against compute: the gain of a doubling, the cost of an accuracy, the Pareto front."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from reasoner.benchmarks.analysis.curves import Outcome, chosen_right, rising, samples
from reasoner.benchmarks.analysis.equal_cost import COSTS, together
from reasoner.benchmarks.plots.gain_at_equal_cost import NAMES
from reasoner.benchmarks.stats.area import area
from reasoner.benchmarks.stats.cost_curve import CostCurve
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.stats.log_linear import LogLinear, log_linear
from reasoner.benchmarks.stats.multiplier import Multiplier, multiplier
from reasoner.benchmarks.stats.pareto import front_shares
from reasoner.benchmarks.stats.power_law import PowerLaw, power_law
from reasoner.benchmarks.store.grid import BEST, COVERAGE
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError, StoreError
from reasoner.files import save_json
from reasoner.schema import Frozen

USUAL = 0.5
"""The least share of resamples in which a size must be on the front to be shown there."""


class ScalingRow(Frozen):
    """One strategy on one task against compute of one kind, over all `sizes` that cost more and more.

    `line` and `area` need two sizes. `multiplier` is best-of-N's compute over the strategy's where both
    reach the same accuracy. `front` is, for each size, the share of resamples of problems in which no size
    of any strategy is better and as cheap.
    """

    task: str
    cost: str
    strategy: str
    verifier: str | None
    problems: int
    sizes: tuple[int, ...]
    line: LogLinear | None
    area: Estimate | None
    multiplier: Multiplier | None
    front: dict[int, float]


class Law(Frozen):
    """The law of coverage in samples on one task; `law` is None where too few problems determine it."""

    task: str
    problems: int
    samples: int
    law: PowerLaw | None


@dataclass(frozen=True, slots=True)
class Scaling:
    """Rows for every task, cost and strategy, the law of coverage of every task, and their file."""

    rows: list[ScalingRow]
    laws: list[Law]
    file: Path

    def as_json(self) -> dict[str, Any]:
        """Return the rows and laws as plain JSON values."""
        return {**document(self.rows, self.laws), "files": [str(self.file)]}

    def show(self, console: Console) -> None:
        """Print a table for each task and cost, then the laws."""
        for task, cost in dict.fromkeys((row.task, row.cost) for row in self.rows):
            console.print(_table([r for r in self.rows if (r.task, r.cost) == (task, cost)]))
        for law in self.laws:
            console.print(_sentence(law), highlight=False, soft_wrap=True)
        console.print(str(self.file), markup=False, highlight=False, soft_wrap=True)


def scaling(
    run: RunFolder, out: Path, sizes: Sequence[int] = (), accuracy: float | None = None
) -> Scaling:
    """Estimate how the strategies of a run scale, and write scaling.json to `out`.

    With `sizes`, only these count. Multipliers are at `accuracy`, by default best-of-N's in its largest
    size.

    Raises:
        ConfigError: there is no best-of-N to compare with, or none of `sizes` was run.
        StoreError: there are no results.
    """
    rows, laws = list[ScalingRow](), list[Law]()
    for task in run.grid.tasks:
        results = [o for o in together(task, [run]) if o.spec.budget is None]
        chosen = [o for o in results if not sizes or o.spec.n in sizes]
        if not any(o.spec.strategy == BEST for o in chosen):
            have = ", ".join(str(o.spec.n) for o in results if o.spec.strategy == BEST)
            raise ConfigError(
                f"{run.path} has {BEST} on {task} at sizes {have}; name two of them (--n)"
            )
        for cost in COSTS:
            rows += _rows([o for o in chosen if o.spec.strategy != COVERAGE], cost, accuracy)
        laws.append(_law(run, task))
    if not rows:
        raise StoreError(f"{run.path} has neither tokens nor FLOPs: there is nothing to scale with")
    return Scaling(rows, laws, save_json(document(rows, laws), out / "scaling.json"))


def document(rows: Sequence[ScalingRow], laws: Sequence[Law]) -> dict[str, Any]:
    """Return plain JSON values; infinite numbers are null."""
    results = {"strategies": rows, "coverage": laws}
    return {
        name: [json.loads(each.model_dump_json()) for each in some]
        for name, some in results.items()
    }


def _rows(outcomes: Sequence[Outcome], cost: str, accuracy: float | None) -> Iterator[ScalingRow]:
    known = [o for o in outcomes if o.spent(cost).any()]
    names = dict.fromkeys(o.spec.strategy for o in known)
    lines = {name: rising((o for o in known if o.spec.strategy == name), cost) for name in names}
    if BEST not in lines:
        return
    curves = {name: curve(line, cost) for name, line in lines.items()}
    all_curves = list(curves.values())
    costs, values = (
        np.hstack([getattr(c, part) for c in all_curves]) for part in ("costs", "values")
    )
    shares = iter(front_shares(costs, values))
    for name, line in lines.items():
        several = len(line) > 1
        yield ScalingRow(
            task=line[0].spec.task,
            cost=cost,
            strategy=name,
            verifier=line[0].spec.verifier,
            problems=len(line[0].values),
            sizes=tuple(o.spec.n for o in line),
            line=log_linear(curves[name]) if several else None,
            area=area(curves[name]) if several else None,
            multiplier=_saving(name, curves, accuracy),
            front={o.spec.n: float(next(shares)) for o in line},
        )


def _saving(name: str, curves: dict[str, CostCurve], accuracy: float | None) -> Multiplier | None:
    """Return the multiplier against best-of-N; both need two sizes to interpolate between."""
    ours, best = curves[name], curves[BEST]
    if name == BEST or min(ours.values.shape[1], best.values.shape[1]) < 2:
        return None
    return multiplier(ours, best, accuracy)


def curve(line: Sequence[Outcome], cost: str) -> CostCurve:
    """Return one strategy's costs and values at rising sizes."""
    return CostCurve(
        costs=np.array([o.spent(cost) for o in line]).T,
        values=np.array([o.values for o in line], float).T,
    )


def _law(run: RunFolder, task: str) -> Law:
    """Fit the law to all problems of the pool, at numbers of samples that double."""
    pool = samples(run, task)
    most = int(pool.sizes.max(initial=0))
    ks = [2**i for i in range(most.bit_length())]
    try:
        law = power_law(chosen_right(pool, COVERAGE, ks), ks)
    except ConfigError:
        law = None
    return Law(task=task, problems=pool.problems, samples=most, law=law)


def _table(rows: Sequence[ScalingRow]) -> Table:
    first, saved = rows[0], next((r.multiplier for r in rows if r.multiplier), None)
    at = f", compute saved at {saved.accuracy:.1%}" if saved else ""
    table = Table(
        title=f"{first.task}: {first.problems} problems, {NAMES[first.cost]}{at}",
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left", title_style="bold",
    )  # fmt: skip
    table.add_column("strategy", no_wrap=True)
    for name in ("sizes", "points a doubling", "R²", "area", "saves", "on the front"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: ScalingRow) -> tuple[str, ...]:
    sizes = f"{row.sizes[0]}-{row.sizes[-1]}" if len(row.sizes) > 1 else str(row.sizes[0])
    front = ",".join(str(n) for n, share in row.front.items() if share >= USUAL)
    if row.line is None or row.area is None:
        return row.strategy, sizes, "", "", "", "", front
    gain = row.line.doubling.times(100)
    bought = f"{gain.value:+.1f} ({gain.low:+.1f} to {gain.high:+.1f})"
    return (
        row.strategy,
        sizes,
        bought,
        f"{row.line.r2:.2f}",
        f"{row.area.value:.3f}",
        saving(row.multiplier),
        front,
    )


def saving(ratio: Multiplier | None) -> str:
    """Return how many times less compute is enough, with the known ends of the interval."""
    if ratio is None:
        return ""
    middle = "" if ratio.value is None else f"{ratio.value:.2g}x "
    low, high = ratio.low > 0, np.isfinite(ratio.high)
    if low and high:
        return f"{middle}({ratio.low:.2g} to {ratio.high:.2g})"
    known = f"over {ratio.low:.2g}" if low else f"under {ratio.high:.2g}" if high else "unknown"
    return f"{middle}({known})"


def _sentence(law: Law) -> str:
    start = f"{law.task}: coverage of {law.problems} problems"
    if law.law is None:
        return f"{start} determines no law: too few are solved, or left"
    fit = law.law
    return (
        f"{start} is exp(-{fit.a.value:.2f} k^-{fit.b.value:.2f}), k from {fit.ks[0]} to {fit.ks[-1]}:"
        f" exponent {fit.b.interval}, R² {fit.r2:.3f}"
    )
