"""Accuracy against training compute: the same search on one model after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from reasoner.benchmarks.analysis.curves import Outcome, outcomes, rising, samples
from reasoner.benchmarks.analysis.step_metrics import JudgedSteps, auc_estimate
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimate
from reasoner.benchmarks.stats.cost_curve import CostCurve
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.stats.log_linear import LogLinear, log_linear
from reasoner.benchmarks.stats.multiplier import Multiplier, multiplier
from reasoner.benchmarks.stats.sigmoid import FEWEST, Forecast, Sigmoid, forecasts, sigmoid
from reasoner.benchmarks.store.grid import GREEDY
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError
from reasoner.models.train_compute import possible
from reasoner.schema import Frozen

COST = "flops"
"""The cost of test-time compute: FLOPs per problem, verifier included."""


@dataclass(frozen=True, slots=True)
class CheckpointRun:
    """The run of a benchmark on one model, and the FLOPs of its training, 0 before any."""

    train_flops: float
    run: RunFolder

    def lines(self, task: str) -> dict[str, dict[int, Outcome]]:
        """Return the outcome of each strategy at each size, of those without a budget."""
        lines = dict[str, dict[int, Outcome]]()
        for outcome in outcomes(self.run, task):
            if outcome.spec.budget is None and outcome.spec.strategy != GREEDY:
                lines.setdefault(outcome.spec.strategy, {})[outcome.spec.n] = outcome
        return lines


class CheckpointRow(Frozen):
    """One checkpoint on one task.

    `accuracy` holds each strategy at each size, pass@k (coverage) among them. `distinct_answers` is the
    mean number of different answers among a problem's samples, and `auc` that of the verifier's scores:
    training can trade coverage for pass@1, and leave a verifier behind that learned on an older policy.
    """

    task: str
    train_flops: float
    problems: int
    samples: int
    accuracy: dict[str, dict[int, Estimate]]
    distinct_answers: Estimate
    auc: Estimate | None


class TrainCurve(Frozen):
    """One strategy at one size on one task, over the training compute of all checkpoints after the first.

    `line` is the gain of each doubling. `sigmoid` and `forecasts` need three checkpoints, and a start.
    """

    task: str
    strategy: str
    n: int
    train_flops: tuple[float, ...]
    line: LogLinear | None
    sigmoid: Sigmoid | None
    forecasts: tuple[Forecast, ...]


class SearchSaved(Frozen):
    """The test-time compute that more training replaces: of one checkpoint over that of the next.

    The accuracy is half-way between the highest start and the lowest end of the two curves: both are
    measured there.
    """

    task: str
    strategy: str
    before: float
    after: float
    multiplier: Multiplier


def checkpoints(
    runs: Sequence[RunFolder], train_flops: Sequence[float] = ()
) -> list[CheckpointRun]:
    """Return runs with the training compute of their models, the least trained first.

    By default it is what each run recorded; a single run that recorded none counts as the start, 0.

    Raises:
        ConfigError: it is not known, two are equal, or the runs are not of the same problems.
        StoreError: a run cannot be read.
    """
    if train_flops and len(train_flops) != len(runs):
        raise ConfigError(
            f"{len(train_flops)} training computes for {len(runs)} runs; give one each, in their order"
        )
    known = train_flops or _recorded(runs)
    ordered = sorted(
        (CheckpointRun(c, r) for c, r in zip(known, runs, strict=True)), key=lambda c: c.train_flops
    )
    for one, next_one in pairwise(ordered):
        if one.train_flops == next_one.train_flops:
            raise ConfigError(
                f"{one.run.path} and {next_one.run.path} have the same training compute,"
                f" {one.train_flops:.4g} FLOPs; name runs of different checkpoints"
            )
        _check_same(one.run, next_one.run)
    return ordered


def rows(points: Sequence[CheckpointRun]) -> Iterator[CheckpointRow]:
    """Yield every checkpoint on every task."""
    for task in points[0].run.grid.tasks:
        for point in points:
            pool = point.run.pool(task)
            if not pool:
                raise ConfigError(
                    f"{point.run.path} has no samples of {task}; run `bench` to its end"
                )
            lines = point.lines(task)
            yield CheckpointRow(
                task=task,
                train_flops=point.train_flops,
                problems=len(pool),
                samples=int(samples(point.run, task).sizes.max(initial=0)),
                accuracy={
                    name: {n: estimate(o.values) for n, o in line.items()}
                    for name, line in lines.items()
                },
                distinct_answers=estimate(np.array([_distinct(r) for r in pool], float)),
                auc=_auc(pool),
            )


def train_curves(points: Sequence[CheckpointRun]) -> Iterator[TrainCurve]:
    """Yield every strategy at every size that all checkpoints have."""
    for task in points[0].run.grid.tasks:
        lines = [point.lines(task) for point in points]
        for strategy, sizes in lines[0].items():
            for n in sizes:
                if all(n in line.get(strategy, {}) for line in lines):
                    values = np.column_stack([line[strategy][n].values for line in lines])
                    yield _curve(task, strategy, n, [p.train_flops for p in points], values)


def search_saved(points: Sequence[CheckpointRun]) -> Iterator[SearchSaved]:
    """Yield what each checkpoint's training saves at test time, and that of the last over the first.

    Strategies of a single size are left out.
    """
    pairs = [*pairwise(points), *([(points[0], points[-1])] if len(points) > 2 else [])]
    for task in points[0].run.grid.tasks:
        for before, after in pairs:
            ours, theirs = before.lines(task), after.lines(task)
            for strategy in ours:
                earlier, later = (cost_curve(lines.get(strategy, {})) for lines in (ours, theirs))
                if earlier and later:
                    yield SearchSaved(
                        task=task,
                        strategy=strategy,
                        before=before.train_flops,
                        after=after.train_flops,
                        multiplier=multiplier(later, earlier, half_way(earlier, later)),
                    )


def half_way(one: CostCurve, other: CostCurve) -> float:
    """Return the accuracy half-way between the highest start and the lowest end of two curves."""
    means = one.values.mean(0), other.values.mean(0)
    return float(max(m[0] for m in means) + min(m[-1] for m in means)) / 2


def cost_curve(line: dict[int, Outcome]) -> CostCurve | None:
    """Return one strategy's FLOPs and accuracy on each problem; None for fewer than two rising sizes."""
    sizes = rising((o for o in line.values() if o.spent(COST).any()), COST)
    if len(sizes) < 2:
        return None
    return CostCurve(
        costs=np.array([o.spent(COST) for o in sizes]).T,
        values=np.array([o.values for o in sizes], float).T,
    )


def _curve(
    task: str, strategy: str, n: int, train_flops: Sequence[float], values: Floats
) -> TrainCurve:
    costs = np.array(train_flops)
    first = 0 if costs[0] else 1  # No place on a logarithmic axis before any training.
    trained, later = costs[first:], values[:, first:]
    enough = len(trained) >= FEWEST and first == 1
    return TrainCurve(
        task=task,
        strategy=strategy,
        n=n,
        train_flops=tuple(map(float, trained)),
        line=log_linear(CostCurve(trained, later)) if len(trained) > 1 else None,
        sigmoid=sigmoid(trained, values[:, 0], later) if enough else None,
        forecasts=tuple(forecasts(trained, values[:, 0], later)) if enough else (),
    )


def _recorded(runs: Sequence[RunFolder]) -> list[float]:
    stored = [_train_flops(run) for run in runs]
    unknown = [run for run, flops in zip(runs, stored, strict=True) if flops is None]
    if len(unknown) > 1:
        raise ConfigError(
            f"{unknown[0].path} and {unknown[1].path} do not say how long their models were trained; give"
            " the FLOPs of all by --train-flops"
        )
    return [flops or 0.0 for flops in stored]


def _train_flops(run: RunFolder) -> float | None:
    """Return the training compute that a run recorded of its model."""
    for spec in run.grid.specs():
        if header := run.header(spec):
            model = header.environment.get("model")
            flops = model.get("train_flops") if isinstance(model, dict) else None
            return float(flops) if possible(flops) else None
    return None


def _check_same(one: RunFolder, other: RunFolder) -> None:
    """Raise a `ConfigError` unless two runs have the same tasks and problems."""
    for setting in ("tasks", "split", "problems"):
        ours, theirs = getattr(one.grid, setting), getattr(other.grid, setting)
        if ours != theirs:
            raise ConfigError(
                f"{one.path} and {other.path} differ in {setting}, {ours} and {theirs}; compare"
                " checkpoints on the same problems"
            )
    for task in one.grid.tasks:
        if [r.problem for r in one.pool(task)] != [r.problem for r in other.pool(task)]:
            raise ConfigError(
                f"{one.path} and {other.path} have other problems of {task}; let both runs end"
            )


def _distinct(record: Record) -> int:
    return len({s.answer for s in record.samples if s.answer is not None})


def _auc(pool: Sequence[Record]) -> Estimate | None:
    """Return the AUC of the verifier's scores over finished solutions."""
    scored = [
        [([s.score], [s.correct]) for s in record.samples if s.score is not None] for record in pool
    ]
    return auc_estimate(JudgedSteps.of(scored))
