"""Strategies against best-of-N at equal cost: the table, the figure and the files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from reasoner.benchmarks.analysis.equal_cost import ComparisonRow, compare, decided
from reasoner.benchmarks.plots import gain_at_equal_cost as forest
from reasoner.benchmarks.plots.style import FORMATS, Width
from reasoner.benchmarks.store import provenance
from reasoner.benchmarks.store.grid import BEST
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import StoreError
from reasoner.files import save_json


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row per task, kind of cost, strategy and size, and the files."""

    rows: list[ComparisonRow]
    files: list[Path]

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain JSON values."""
        return {
            "rows": [r.model_dump() for r in self.rows],
            "files": [str(f) for f in self.files],
        }

    def show(self, console: Console) -> None:
        """Print a table for each task, and its conclusions in words."""
        for task in dict.fromkeys(r.task for r in self.rows):
            rows = [r for r in self.rows if r.task == task]
            console.print(_table(rows))
            for line in words(rows):
                console.print(line, highlight=False)
            console.print()
        console.print(NOTE, highlight=False)
        for file in self.files:
            console.print(str(file), markup=False, highlight=False, soft_wrap=True)


def comparison(
    runs: Sequence[RunFolder],
    out: Path,
    sizes: Sequence[int] = (),
    formats: Sequence[str] = FORMATS,
    width: Width = "screen",
) -> Comparison:
    """Write comparison.json, comparison.png and comparison.svg of the results of `runs` to `out`.

    A folder that is none of the runs also gets an environment.json of all of them.

    Raises:
        ConfigError: there is no best-of-N to compare with, or none of `sizes` was run.
        StoreError: there are no results.
    """
    rows = compare(runs, sizes)
    if not rows:
        raise StoreError(f"{runs[0].path} holds no results to compare; run `reasoner bench` first")
    files = [
        save_json([r.model_dump() for r in rows], out / "comparison.json"),
        *([] if out in [run.path for run in runs] else [provenance.save(runs, out)]),
        *forest.draw(rows, out, provenance.caption(runs), formats, width),
    ]
    return Comparison(rows, files)


NOTE = (
    "gain in points on best-of-N at the same cost, with its 95 % interval, paired problem by problem; Holm: p adjusted"
    " for all comparisons of a column, by McNemar's exact test, or ~ by flipped signs where values are means of many"
    " choices; best-of-N between two sizes (a-b) is interpolated in log cost"
)


def _table(rows: Sequence[ComparisonRow]) -> Table:
    """Return the table of one task: strategies at equal cost of every kind, side by side."""
    costs, count = dict.fromkeys(r.cost for r in rows), max(r.comparisons for r in rows)
    table = Table(
        title=f"{rows[0].task}: against {BEST} at equal cost, {count} comparisons",
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left", title_style="bold",
    )  # fmt: skip
    table.add_column("strategy")
    for name in ("n", "accuracy", *(name for cost in costs for name in COLUMNS[cost])):
        table.add_column(name, justify="right", no_wrap=True)
    previous = ""
    for (strategy, n), comparison in _by_size(rows).items():
        if previous and strategy != previous:
            table.add_section()
        cells = [cell for cost in costs for cell in _cells(comparison.get(cost))]
        accuracy = next(iter(comparison.values())).accuracy
        label = strategy if strategy != previous else ""
        table.add_row(label, str(n), f"{accuracy:.3f}", *cells)
        previous = strategy
    return table


COLUMNS = {
    "generated_tokens": ("tokens", "best-of", "gain", "Holm"),
    "flops": ("GFLOPs", "best-of", "gain", "Holm"),
}


def _by_size(rows: Sequence[ComparisonRow]) -> dict[tuple[str, int], dict[str, ComparisonRow]]:
    """Return the rows of each strategy in each size, by their kind of cost."""
    sizes = dict.fromkeys((r.strategy, r.n) for r in rows)
    return {s: {r.cost: r for r in rows if (r.strategy, r.n) == s} for s in sizes}


def _cells(row: ComparisonRow | None) -> tuple[str, str, str, str]:
    """Return the cost, best-of-N's size at that cost, the gain and its p-value."""
    if row is None:
        return "", "", "", ""
    spent = f"{row.spent / 1e9:.3g}" if row.cost == "flops" else f"{row.spent:,.0f}"
    if row.p is None or row.p_holm is None:
        return spent, "", "", ""
    rivals = "-".join(map(str, row.rivals)) + ("" if row.equal else "!")
    return spent, rivals, gain(row), f"{'' if row.exact else '~'}{chance(row.p_holm)}"


def gain(row: ComparisonRow) -> str:
    """Return the gain in points, with half of its interval."""
    return f"{100 * row.gain:+.1f} ±{50 * (row.gain_high - row.gain_low):.1f}"


def words(rows: Iterable[ComparisonRow]) -> Iterator[str]:
    """Yield, for each kind of cost, the strategies ahead of best-of-N and those behind."""
    compared = [r for r in rows if r.p is not None]
    for cost in dict.fromkeys(r.cost for r in compared):
        sides = dict[str, dict[str, list[str]]]()
        for row in (r for r in compared if r.cost == cost):
            sides.setdefault(side(row), {}).setdefault(row.strategy, []).append(str(row.n))
        parts = "; ".join(f"{name}: {_listed(sides[name])}" for name in sorted(sides))
        yield f"At equal {forest.NAMES[cost]}, {parts}."


def _listed(sizes: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{strategy} ({', '.join(ns)})" for strategy, ns in sizes.items())


def side(row: ComparisonRow) -> str:
    """Return whether a strategy is ahead of best-of-N at the same cost, behind, or neither."""
    if row.gain_low <= 0 <= row.gain_high:
        return "within noise"
    where = "ahead" if row.gain > 0 else "behind"
    return where if decided(row) else f"{where} alone, not among {row.comparisons}"


def chance(p: float) -> str:
    """Return a p-value to three places."""
    return "<.001" if p < 0.0005 else "1" if p > 0.9995 else f"{p:.3f}".lstrip("0")
