"""Fit the table of strategy `auto` to the records of a probe and of arms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from rich import box
from rich.console import Console
from rich.table import Table as Rows

from reasoner.benchmarks.analysis import allocation
from reasoner.benchmarks.analysis.allocation import Allocated, Evidence, FixedArm
from reasoner.benchmarks.stats.arrays import Bools
from reasoner.benchmarks.stats.paired import difference
from reasoner.benchmarks.stats.proportion import share
from reasoner.benchmarks.store.grid import BEST, MAJORITY, WEIGHTED, Grid
from reasoner.benchmarks.store.owner import FIT
from reasoner.benchmarks.store.pool_costs import portion
from reasoner.benchmarks.store.records import Record, Sample, Spec, Spend
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError, StoreError
from reasoner.files import save_json
from reasoner.options import MOST
from reasoner.registry import strategies, verifiers
from reasoner.search.auto import FEATURES, STOP, Arm, Feature, Fitted, Sampled, Table
from reasoner.traits import strategy_traits, verifier_traits

Merit = tuple[bool, float]
"""The order of answers: finished before unfinished, then by score."""


class ArmGrid(Grid):
    """A grid of arms and a probe; it is saved as a plain grid, so that it can be plotted."""

    arms: tuple[Arm, ...] = Field(exclude=True)
    probe: int = Field(default=4, exclude=True)

    @property
    def searched(self) -> list[Arm]:
        """The arms that are searches of their own; the others are read from the pool."""
        return [a for a in self.arms if a.strategy not in (BEST, STOP)]


def arm_grid(arms: Sequence[str], probe: int, split: str = "dev", **settings: Any) -> ArmGrid:
    """Return the experiments that a fit needs.

    Raises:
        ConfigError: an arm is not a strategy and a size, or does not choose by scores; or the verifier
            is the oracle.
    """
    verifier = settings.get("verifier")
    if verifier and verifier_traits(verifiers.load(verifier)).oracle:
        raise ConfigError(
            f"verifier {verifier!r} reads the answers; fit with the verifier that `auto` will use"
        )
    chosen = tuple(dict.fromkeys(map(_arm, arms)))
    searched = [a for a in chosen if a.strategy != BEST]
    sampled = {probe, *(a.n for a in chosen if a.strategy == BEST)}
    return ArmGrid(
        arms=(Arm(strategy=STOP), *chosen),
        probe=probe,
        strategies=tuple(dict.fromkeys([BEST, *(a.strategy for a in searched)])),
        ns=tuple(sorted(sampled)),
        own_ns={
            name: tuple(sorted(a.n for a in searched if a.strategy == name))
            for name in dict.fromkeys(a.strategy for a in searched)
        },
        split=split,
        command=FIT,
        **settings,
    )


def _arm(text: str) -> Arm:
    name, _, size = text.rpartition(":")
    if not size.isdecimal() or len(size) > len(str(MOST)) or not 0 < int(size) <= MOST:
        raise ConfigError(f"arm {text!r} is not a strategy and its size, such as beam:8")
    if (
        name in ("auto", MAJORITY, WEIGHTED)
        or not strategy_traits(strategies.load(name)).uses_verifier
    ):
        raise ConfigError(
            f"arm {text!r} cannot be compared with the probe by score;"
            f" use {BEST} or a search that the verifier guides"
        )
    return Arm(strategy=name, n=int(size))


@dataclass(frozen=True)
class TableFit:
    """The table fitted on all problems, and the results of tables fitted on one half on the other."""

    grid: ArmGrid
    table: Table
    evidence: Evidence
    tasks: tuple[str, ...]
    """The task of each problem."""
    allocated: Allocated
    tolerance: float
    unit: str
    left_out: int
    out: Path

    @property
    def files(self) -> list[Path]:
        """The files of the table and of this report."""
        return [self.out / "auto.json", self.out / "fit.json"]

    def as_json(self) -> dict[str, Any]:
        """Return the report as one JSON document; costs are means per problem, in `unit`."""
        accuracy = share(self.allocated.correct)
        everything = np.ones(len(self.evidence), bool)
        return {
            "problems": len(self.evidence),
            "left_out": self.left_out,
            "unit": self.unit,
            "cross_validated": {"ci": [accuracy.low, accuracy.high], **self._compared(everything)},
            "by_task": {
                t: self._compared(np.array([x == t for x in self.tasks]))
                for t in dict.fromkeys(self.tasks)
            },
            "arms": [self._fixed(a) for a in self.evidence.fixed],
            "table": self.table.model_dump(mode="json"),
            "files": [str(f) for f in self.files],
        }

    def show(self, console: Console) -> None:
        """Print every fixed arm, the table, and its savings."""
        title = f"{len(self.evidence)} dev problems, means per problem, each arm alone:"
        console.print(title, style="bold", highlight=False)
        console.print(self._rows())
        for line in self._lines():
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _compared(self, chosen: Bools) -> dict[str, Any]:
        """Compare the allocation with fixed arms on some problems; a saving is their cost over its own.

        `as_accurate` is its rival, the cheapest fixed arm within the tolerance of its accuracy.
        """
        fixed = tuple(
            FixedArm(a.arm, a.correct[chosen], a.cost[chosen]) for a in self.evidence.fixed
        )
        outcomes = self.allocated
        part = Allocated(outcomes.correct[chosen], outcomes.cost[chosen], outcomes.arms[chosen])
        top = max(fixed, key=lambda a: (a.correct.mean(), -a.cost.mean()))
        rival = fixed[allocation.rival(fixed, part, self.tolerance)]
        counts = np.bincount(part.arms, minlength=len(self.evidence.arms))
        return {
            "problems": int(chosen.sum()),
            "accuracy": part.accuracy,
            "cost": part.mean_cost,
            "given": {str(a): int(c) for a, c in zip(self.evidence.arms, counts, strict=True)},
            "best_fixed": self._fixed(top) | {"saving": float(top.cost.mean()) / part.mean_cost},
            "as_accurate": {
                **self._fixed(rival),
                "saving": allocation.cost_ratio(rival, part).model_dump(),
                "gain": difference(part.correct, rival.correct).model_dump(),
            },
        }

    def _fixed(self, arm: FixedArm) -> dict[str, Any]:
        return arm.arm.model_dump() | {
            "accuracy": float(arm.correct.mean()),
            "cost": float(arm.cost.mean()),
        }

    def _rows(self) -> Rows:
        rows = Rows(box=box.SIMPLE_HEAD)
        for name in ("arm", "accuracy", self.unit):
            rows.add_column(name, justify="left" if name == "arm" else "right")
        for a in self.evidence.fixed:
            rows.add_row(str(a.arm), f"{a.correct.mean():.3f}", f"{a.cost.mean():.3g}")
        return rows

    def _lines(self) -> Iterator[str]:
        table, validated = self.table, self.as_json()["cross_validated"]
        edges = [f"{e:.3f}" for e in table.edges]
        lows, highs = ["", *(f"{e} <=" for e in edges)], [*(f"< {e}" for e in edges), ""]
        for low, high, arm in zip(lows, highs, table.arms, strict=True):
            yield " ".join(filter(None, (low, table.feature, high))) + f": {arm}"
        if self.left_out:
            yield f"{self.left_out} problems are left out: an attempt failed"
        yield (
            f"cross-validated: {validated['accuracy']:.1%} at {validated['cost']:.3g} {self.unit}"
            f" ({validated['ci'][0]:.1%} to {validated['ci'][1]:.1%}), including the probe of {table.probe}"
        )
        best = validated["best_fixed"]
        yield (
            f"the most accurate arm, {best['strategy']}:{best['n']}, has {best['accuracy']:.1%}"
            f" for {best['saving']:.2f} times the {self.unit}"
        )
        yield self._rival(validated, "all problems")
        for task, part in self.as_json()["by_task"].items():
            yield self._rival(part, task)
        yield from map(str, self.files)

    def _rival(self, part: dict[str, Any], name: str) -> str:
        """Describe the comparison with the cheapest arm as accurate, on the problems called `name`."""
        fixed = part["as_accurate"]
        saving, gain = fixed["saving"], fixed["gain"]
        return (
            f"{name}: the cheapest arm as accurate, {fixed['strategy']}:{fixed['n']}, costs {saving['value']:.2f}"
            f" ({saving['low']:.2f} to {saving['high']:.2f}) times as much; `auto` gains"
            f" {100 * gain['value']:+.1f} points ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"
        )


def fit_table(grid: ArmGrid, out: Path, *, bins: int, tolerance: float) -> TableFit:
    """Fit a table to the results in `out`, cross-validate it, and write both there.

    Raises:
        StoreError: there are too few results, or a file cannot be written.
    """
    problems, left_out = _problems(grid, out)
    if len(problems) < 2 * allocation.FOLDS:
        raise StoreError(
            f"{out} holds {len(problems)} problems that every arm attempted;"
            f" fitting needs {2 * allocation.FOLDS} or more, and hundreds for a useful table"
        )
    unit, evidence = _evidence(grid, problems)
    rule = allocation.fit_rule(evidence, bins=bins, tolerance=tolerance)
    table = Table(
        probe=grid.probe,
        feature=rule.feature,
        edges=tuple(map(float, rule.edges)),
        arms=tuple(grid.arms[i] for i in rule.choice),
        fitted=Fitted(
            tasks=grid.tasks, split=grid.split, problems=len(problems), model=grid.model,
            weights=grid.weights, verifier=grid.verifier, seed=grid.seed, tolerance=tolerance,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )  # fmt: skip
    allocated = allocation.cross_validated(evidence, bins=bins, tolerance=tolerance)
    tasks = tuple(p.task for p in problems)
    result = TableFit(grid, table, evidence, tasks, allocated, tolerance, unit, left_out, out)
    save_json(table.model_dump(mode="json"), result.files[0])
    save_json(result.as_json(), result.files[1])
    return result


@dataclass(frozen=True)
class MeasuredProblem:
    """The records of a problem: of the pool, and of each searched arm."""

    task: str
    pool: Record
    searched: dict[Arm, Record]


def _problems(grid: ArmGrid, out: Path) -> tuple[list[MeasuredProblem], int]:
    """Return the problems that every arm attempted without failing, and the number of the others."""
    measured, missing = list[MeasuredProblem](), 0
    for task in grid.tasks:
        pool = grid.pool(task)
        assert pool, "best-of-n is always among the strategies"
        pools = _records(grid, pool, out)
        searched = {a: _records(grid, grid.spec(task, a.strategy, a.n), out) for a in grid.searched}
        complete = [i for i in pools if all(i in records for records in searched.values())]
        missing += grid.problems - len(complete)
        measured += [
            MeasuredProblem(task, pools[i], {a: records[i] for a, records in searched.items()})
            for i in complete
        ]
    return measured, missing


def _records(grid: ArmGrid, spec: Spec, out: Path) -> dict[int, Record]:
    rows = RunFolder(out, grid).stored(spec)
    return {
        r.index: r
        for r in sorted(rows, key=lambda r: r.index)
        if r.error is None and r.index < grid.problems
    }


def _evidence(grid: ArmGrid, problems: Sequence[MeasuredProblem]) -> tuple[str, Evidence]:
    unit = "FLOPs" if any(p.pool.spend.flops for p in problems) else "tokens"
    features = [_features(p.pool.samples[: grid.probe]) for p in problems]
    pairs = [[_after_probe(grid, p, arm, unit) for arm in grid.arms] for p in problems]
    results = np.array(pairs, float)
    return unit, Evidence(
        arms=grid.arms,
        features={name: np.array([f[name] for f in features]) for name in FEATURES},
        correct=results[:, :, 0],
        cost=results[:, :, 1],
        fixed=tuple(_fixed_arm(grid, problems, arm, unit) for arm in _fixed_arms(grid)),
    )


def _fixed_arms(grid: ArmGrid) -> list[Arm]:
    """Return the arms that need no probe."""
    sampled = [Arm(strategy=BEST, n=n) for n in grid.ns]
    return [*sampled, *grid.searched]


def _features(samples: Sequence[Sample]) -> dict[Feature, float]:
    sampled: Sampled = [(s.answer, (s.score or 0.0) if s.answer else 0.0) for s in samples]
    return {name: feature(sampled) for name, feature in FEATURES.items()}


def _after_probe(
    grid: ArmGrid, problem: MeasuredProblem, arm: Arm, unit: str
) -> tuple[bool, float]:
    """Return whether the better of the arm's answer and the probe's is right, and the cost of both."""
    samples = problem.pool.samples
    probed = max(map(_judged, samples[: grid.probe]), key=_merit)
    sampled = max(grid.probe, arm.n if arm.strategy == BEST else 0)
    cost = _cost(portion(problem.pool, sampled, verified=True), unit)
    rest = [_judged(s) for s in samples[grid.probe : sampled]]
    if record := problem.searched.get(arm):
        rest, cost = [_judged(record)], cost + _cost(record.spend, unit)
    return max([*rest, probed], key=_merit)[1], cost


def _fixed_arm(grid: ArmGrid, problems: Sequence[MeasuredProblem], arm: Arm, unit: str) -> FixedArm:
    if arm.strategy == BEST:
        firsts = [[_judged(s) for s in p.pool.samples[: arm.n]] for p in problems]
        correct = [max(judged, key=_merit)[1] for judged in firsts]
        spends = [portion(p.pool, arm.n, verified=True) for p in problems]
    else:
        correct = [p.searched[arm].correct for p in problems]
        spends = [p.searched[arm].spend for p in problems]
    return FixedArm(arm, np.array(correct, float), np.array([_cost(s, unit) for s in spends]))


def _judged(answered: Sample | Record) -> tuple[Merit, bool]:
    score = -1.0 if answered.score is None else answered.score
    return (answered.answer is not None, score), answered.correct


def _merit(judged: tuple[Merit, bool]) -> Merit:
    return judged[0]


def _cost(spend: Spend, unit: str) -> float:
    return spend.flops if unit == "FLOPs" else spend.generated_tokens + spend.verifier_tokens
