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
from reasoner.benchmarks.grid import BEST, Grid
from reasoner.benchmarks.report import caption
from reasoner.errors import StoreError
from reasoner.files import save_json

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
        """A table for each task and cost, within a budget the most accurate strategy first."""
        for table in _tables(self.rows):
            console.print(table)
        console.print(NOTE, highlight=False)
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


NOTE = (
    "gain in points with its 95 % interval, paired problem by problem; p by McNemar's exact test, or ~ by flipped"
    " signs where values are means of many choices"
)


def _tables(rows: Sequence[Row]) -> Iterator[Table]:
    for task in dict.fromkeys(r.task for r in rows):
        for cost in dict.fromkeys(r.cost for r in rows):
            yield _table(task, [r for r in rows if (r.task, r.cost) == (task, cost)])


def _table(task: str, rows: Sequence[Row]) -> Table:
    cost, count = rows[0].cost, max(r.comparisons for r in rows)
    title = f"{task}: against {BEST} at equal {forest.NAMES[cost]}, {count} comparisons"
    table = Table(
        title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0),
        title_justify="left", title_style="bold",
    )  # fmt: skip
    table.add_column("strategy", no_wrap=True)
    for name in ("accuracy", "gain", "p", "Holm"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for budget in sorted({r.budget for r in rows}):
        table.add_section()
        table.add_row(forest.amount(cost, budget), style="bold")
        for row in sorted((r for r in rows if r.budget == budget), key=lambda r: -r.accuracy):
            table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    if row.p is None or row.p_holm is None:
        return row.strategy, f"{row.accuracy:.3f}"
    half = 50 * (row.gain_high - row.gain_low)
    gain = f"{100 * row.gain:+.1f} ±{half:.1f}"
    shown = f"{'' if row.exact else '~'}{chance(row.p)}"
    return row.strategy, f"{row.accuracy:.3f}", gain, shown, chance(row.p_holm), row.verdict


def chance(p: float) -> str:
    """A p-value to three places."""
    return "<.001" if p < 0.0005 else "1" if p > 0.9995 else f"{p:.3f}".lstrip("0")
