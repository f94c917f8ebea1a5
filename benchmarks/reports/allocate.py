"""Accuracy at total budgets, uniform spending against strategy `pool`: the table and allocation.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from reasoner.benchmarks.analysis.total_budget import TotalBudgetPlan, TotalBudgetRow, at_totals
from reasoner.benchmarks.store import provenance
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.files import save_json

FILE = "allocation.json"
NOTE = (
    "uniform: as many samples for every problem (a-b: between two numbers, interpolated in log cost; ! it cannot spend"
    " as much); gain in points at the same total, with its 95 % interval, paired problem by problem"
)
COLUMNS = ("total", "uniform", "samples", "pool", "95 % CI", "samples", "most", "gain", "spent")


@dataclass(frozen=True, slots=True)
class Allocation:
    """A row for each task and total, and the files."""

    rows: list[TotalBudgetRow]
    files: list[Path]

    def as_json(self) -> dict[str, Any]:
        """Return the allocation as plain JSON values."""
        return {
            "rows": [r.model_dump() for r in self.rows],
            "files": [str(f) for f in self.files],
        }

    def show(self, console: Console) -> None:
        """Print a table for each task."""
        for task in dict.fromkeys(r.task for r in self.rows):
            console.print(_table([r for r in self.rows if r.task == task]))
        console.print(NOTE, highlight=False)
        for file in self.files:
            console.print(str(file), markup=False, highlight=False, soft_wrap=True)


def allocation(run: RunFolder, plan: TotalBudgetPlan, out: Path) -> Allocation:
    """Share out the recorded samples of a run, and write allocation.json to `out`.

    A folder that is not the run's also gets its environment.json.

    Raises:
        ConfigError: a total does not allow one sample of each problem.
        StoreError: the run has no samples, or does not tell what they cost.
    """
    rows = at_totals(run, plan)
    about = [] if out == run.path else [provenance.save([run], out)]
    return Allocation(rows, [save_json([r.model_dump() for r in rows], out / FILE), *about])


def _table(rows: Sequence[TotalBudgetRow]) -> Table:
    first = rows[0]
    table = Table(
        title=f"{first.task}: {first.problems} problems, chosen by {first.choose}, total {first.cost}",
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left", title_style="bold",
    )  # fmt: skip
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        short = "" if row.uniform_spent > row.total / 1.02 else "!"
        table.add_row(
            f"{row.total:,.4g}",
            f"{row.uniform:.3f}",
            "-".join(map(str, row.sizes)) + short,
            f"{row.accuracy:.3f}",
            f"{row.ci_low:.2f}-{row.ci_high:.2f}",
            f"{row.samples:.1f}",
            str(row.most),
            f"{100 * row.gain:+.1f} ±{50 * (row.gain_high - row.gain_low):.1f}",
            f"{row.spent / row.total:.0%}",
        )
    return table
