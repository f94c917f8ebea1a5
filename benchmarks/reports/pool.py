"""The metrics of a pool at every number of samples, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from reasoner.benchmarks.analysis.curves import decided
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.stats.proportion import shares
from reasoner.benchmarks.store.grid import COVERAGE, Grid
from reasoner.benchmarks.store.pools import pool_of
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class EveryK:
    """A pool's size, and each metric at each `k` with its 95 % interval over problems."""

    task: str
    problems: int
    samples: int
    metrics: dict[str, dict[int, Estimate]]
    out: Path

    @property
    def accuracy(self) -> float:
        """The share of right solutions, all problems weighing the same."""
        return self.metrics[COVERAGE][1].value

    def as_json(self) -> dict[str, Any]:
        """Return the metrics as plain JSON values; an estimate is [value, low, high]."""
        metrics = {
            metric: {str(k): [e.value, e.low, e.high] for k, e in line.items()}
            for metric, line in self.metrics.items()
        }
        return {
            "task": self.task,
            "problems": self.problems,
            "samples": self.samples,
            "accuracy": self.accuracy,
            "metrics": metrics,
            "run": str(self.out),
        }

    def show(self, console: Console) -> None:
        """Print a row for each k, and the run's folder."""
        title = f"{self.task}: {self.problems} problems, {self.samples} samples; 95 % intervals"
        table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        table.add_column("k", justify="right")
        for metric in self.metrics:
            table.add_column(metric, justify="right", no_wrap=True)
        for k in self.metrics[COVERAGE]:
            cells = (line[k] for line in self.metrics.values())
            table.add_row(str(k), *(f"{e} ({e.interval})" for e in cells))
        console.print(table)
        console.print(str(self.out), markup=False, highlight=False, soft_wrap=True)


def every_k(run: RunFolder, task: str) -> EveryK:
    """Estimate coverage, votes and best-of-N of a run's pool at all of the grid's sizes.

    Raises:
        StoreError: the run has no pool of `task`.
    """
    pool = pool_of(run, task)
    metrics = dict(_metrics(pool, run.grid))
    return EveryK(task, len(pool), sum(len(r.samples) for r in pool), metrics, run.path)


def _metrics(pool: Sequence[Record], grid: Grid) -> Iterator[tuple[str, dict[int, Estimate]]]:
    for strategy in (COVERAGE, *grid.pooled):
        values = decided(pool, strategy, grid.ns, grid.seed)
        name = strategy if strategy == COVERAGE else f"{strategy}@k"
        yield name, dict(zip(grid.ns, shares(values), strict=True))
