"""Accuracy against training compute: a table of checkpoints, fits, and the figure of o1's two panels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from reasoner.benchmarks.analysis import train_time
from reasoner.benchmarks.analysis.train_time import CheckpointRow, SearchSaved, TrainCurve
from reasoner.benchmarks.plots import train_time as plot
from reasoner.benchmarks.plots.style import FORMATS, Width
from reasoner.benchmarks.reports.scaling import saving
from reasoner.benchmarks.store import provenance
from reasoner.benchmarks.store.grid import BEST, COVERAGE, MAJORITY
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.files import save_json

SHOWN = (COVERAGE, MAJORITY, BEST)
"""The strategies that tables show and, the last of them that was run, figures draw."""


@dataclass(frozen=True, slots=True)
class TrainTime:
    """Checkpoints, their curves, what training saves at test time, and the files that hold it."""

    rows: list[CheckpointRow]
    curves: list[TrainCurve]
    saved: list[SearchSaved]
    files: list[Path]

    def as_json(self) -> dict[str, Any]:
        """Return all as plain JSON values."""
        files = [str(file) for file in self.files]
        return {**document(self.rows, self.curves, self.saved), "files": files}

    def show(self, console: Console) -> None:
        """Print a table of checkpoints for each task, a line for each curve, and the files."""
        for task in dict.fromkeys(row.task for row in self.rows):
            console.print(self._table(task))
            for curve in self.curves:
                if curve.task == task and curve.strategy in SHOWN:
                    for line in sentences(curve):
                        console.print(line, markup=False, highlight=False, soft_wrap=True)
        for file in self.files:
            console.print(str(file), markup=False, highlight=False, soft_wrap=True)

    def _table(self, task: str) -> Table:
        rows = [row for row in self.rows if row.task == task]
        strategy = drawn(rows)
        table = Table(
            title=f"{task}: {rows[0].problems} problems, {rows[0].samples} samples of each",
            box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left", title_style="bold",
        )  # fmt: skip
        largest = {name: max(rows[0].accuracy.get(name, {0: None})) for name in SHOWN}
        table.add_column("train FLOPs", no_wrap=True)
        names = ["pass@1", *(_sized(name, n) for name, n in largest.items() if n > 1)]
        for name in (*names, "answers", "verifier AUC", "test FLOPs over the next"):
            table.add_column(name, justify="right", no_wrap=True)
        following = dict(pairwise(row.train_flops for row in rows))
        own = [s for s in self.saved if (s.task, s.strategy) == (task, strategy)]
        saved = {s.before: s.multiplier for s in own if s.after == following[s.before]}
        for row in rows:
            accuracies = [str(row.accuracy[COVERAGE][min(row.accuracy[COVERAGE])])]
            accuracies += [str(row.accuracy[name][n]) for name, n in largest.items() if n > 1]
            auc = str(row.auc) if row.auc else ""
            cells = (*accuracies, f"{row.distinct_answers.value:.1f}", auc)
            table.add_row(f"{row.train_flops:.3g}", *cells, saving(saved.get(row.train_flops)))
        return table


def train_time_report(
    runs: Sequence[RunFolder],
    out: Path,
    train_flops: Sequence[float] = (),
    formats: Sequence[str] = FORMATS,
    width: Width = "screen",
) -> TrainTime:
    """Compare the same benchmark on checkpoints of a model; write train.json and the figure to `out`.

    Raises:
        ConfigError: the training compute is not known, or the runs are not of the same problems.
        StoreError: a run has no results, or a file cannot be written.
    """
    points = train_time.checkpoints(runs, train_flops)
    rows = list(train_time.rows(points))
    curves, saved = list(train_time.train_curves(points)), list(train_time.search_saved(points))
    caption = provenance.caption([point.run for point in points])
    strategies = {
        task: drawn([r for r in rows if r.task == task]) for task in points[0].run.grid.tasks
    }
    files = [
        save_json(
            {**document(rows, curves, saved), "environment": provenance.environment(runs)},
            out / "train.json",
        ),
        *plot.draw(points, strategies, out, caption, formats, width),
    ]
    return TrainTime(rows, curves, saved, files)


def document(
    rows: Sequence[CheckpointRow], curves: Sequence[TrainCurve], saved: Sequence[SearchSaved]
) -> dict[str, Any]:
    """Return plain JSON values; infinite numbers are null."""
    parts = {"checkpoints": rows, "curves": curves, "search_saved": saved}
    return {
        name: [json.loads(each.model_dump_json()) for each in some] for name, some in parts.items()
    }


def drawn(rows: Sequence[CheckpointRow]) -> str:
    """Return the strategy that the figure draws: best-of-N where all runs have it, else what comes before it."""
    return [name for name in SHOWN if all(name in row.accuracy for row in rows)][-1]


def sentences(curve: TrainCurve) -> Iterator[str]:
    """Yield a line on a curve's fits, and a line for each forecast."""
    name = _sized(curve.strategy, curve.n)
    if curve.line:
        gain = curve.line.doubling.times(100)
        yield (
            f"{name}: {gain.value:+.1f} points a doubling of training ({gain.low:+.1f} to"
            f" {gain.high:+.1f}), R² {curve.line.r2:.2f}"
        )
    if fit := curve.sigmoid:
        yield (
            f"  sigmoid from {fit.start:.3f} to {fit.ceiling} ({fit.ceiling.interval}), half-way at"
            f" {fit.midpoint.value:.2g} FLOPs, R² {fit.r2:.2f}"
        )
    for each in curve.forecasts:
        yield (
            f"  at {each.train_flops:.3g} FLOPs predicted {each.predicted} ({each.predicted.interval}),"
            f" measured {each.measured} ({each.measured.interval})"
        )


def _sized(strategy: str, n: int) -> str:
    return f"pass@{n}" if strategy == COVERAGE else f"{strategy}@{n}"
