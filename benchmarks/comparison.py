"""Strategies against best-of-N at equal cost: the table, the figure and the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from reasoner.benchmarks import forest
from reasoner.benchmarks.equal_cost import SIZES, Row, compare
from reasoner.benchmarks.grid import Grid
from reasoner.benchmarks.report import caption
from reasoner.benchmarks.summary import save_json
from reasoner.errors import StoreError

__all__ = ["SIZES", "Comparison", "comparison"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row per task, cost, budget and strategy, and where the files are."""

    rows: list[Row]
    files: list[Path]

    def as_json(self) -> dict[str, Any]:
        """One document for programs."""
        return {
            "rows": [r.model_dump() for r in self.rows],
            "files": [str(f) for f in self.files],
        }

    def show(self, console: Console) -> None:
        """A table for each task and cost, the most accurate strategy first."""
        for table in _tables(self.rows):
            console.print(table)
        for file in self.files:
            console.print(str(file), markup=False, highlight=False, soft_wrap=True)


def comparison(runs: Sequence[Path], out: Path, sizes: Sequence[int] = SIZES) -> Comparison:
    """Write comparison.json, comparison.png and comparison.svg of the results in `runs` to `out`.

    Raises:
        ConfigError: there is no best-of-N to compare with.
        StoreError: there are no results.
    """
    grids = [Grid.load(run) for run in runs]
    rows = compare([*zip(grids, runs, strict=True)], sizes)
    if not rows:
        raise StoreError(
            f"{runs[0]} has no best-of-N at sizes {sizes}; name sizes it was run at (--n)"
        )
    document = save_json([r.model_dump() for r in rows], out / "comparison.json")
    return Comparison(rows, [document, *forest.draw(rows, out, caption(grids[0], runs[0]))])


def _tables(rows: Sequence[Row]) -> Iterator[Table]:
    for task in dict.fromkeys(r.task for r in rows):
        for cost in dict.fromkeys(r.cost for r in rows):
            yield _table(task, [r for r in rows if (r.task, r.cost) == (task, cost)])


def _table(task: str, rows: Sequence[Row]) -> Table:
    budgets = sorted({r.budget for r in rows})
    equal = forest.NAMES[rows[0].cost]
    title = f"{task}: accuracy, and its gain on best-of-N in points (▲ ▼ beyond noise), at equal {equal}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.add_column("strategy", no_wrap=True)
    for budget in budgets:
        table.add_column(forest.amount(rows[0].cost, budget), justify="right", no_wrap=True)
    found = {(r.strategy, r.budget): r for r in rows}
    names = sorted({r.strategy for r in rows}, key=lambda n: _merit(found, n, budgets))
    for name in names:
        table.add_row(name, *(_cell(found.get((name, b))) for b in budgets))
    return table


def _merit(found: dict[tuple[str, float], Row], name: str, budgets: Sequence[float]) -> float:
    rows = [found[name, b] for b in budgets if (name, b) in found]
    return -sum(r.gain for r in rows) / len(rows)


def _cell(row: Row | None) -> str:
    if row is None:
        return "-"
    half = 50 * (row.gain_high - row.gain_low)
    beyond = "▲" if row.gain_low > 0 else "▼" if row.gain_high < 0 else " "
    return f"{row.accuracy:.3f} {100 * row.gain:+5.1f} ±{half:.1f} {beyond}"
