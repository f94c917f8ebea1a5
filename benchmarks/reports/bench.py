"""The report of a benchmark: table, curves and files, from its stored results alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from reasoner.benchmarks.analysis.cost_axes import chosen
from reasoner.benchmarks.analysis.curves import Point, points
from reasoner.benchmarks.analysis.overoptimisation import over_optimisation
from reasoner.benchmarks.plots import accuracy_vs_cost as plot
from reasoner.benchmarks.plots.style import FORMATS, Width
from reasoner.benchmarks.reports import summary, table
from reasoner.benchmarks.reports.spending import TotalSpending, total_spending
from reasoner.benchmarks.store import provenance
from reasoner.benchmarks.store.engine_throughput import Throughput, throughput
from reasoner.benchmarks.store.grid import BEST
from reasoner.benchmarks.store.price import Price
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import StoreError


@dataclass(frozen=True, slots=True)
class Report:
    """The points, their files, the failed problems, warnings of over-optimisation, and the throughput."""

    points: list[Point]
    files: list[Path]
    failures: list[str]
    warnings: list[str]
    throughput: Throughput | None
    spending: TotalSpending | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "summary": summary.as_json(self.points),
            "iso_accuracy": summary.headline(self.points),
            "failures": self.failures,
            "warnings": self.warnings,
            "throughput": self.throughput.model_dump() if self.throughput else None,
            "total_budget": asdict(self.spending) if self.spending else None,
            "files": [str(f) for f in self.files],
        }

    def show(self, console: Console) -> None:
        """Print the table, the headline and the files."""
        table.show(self.points, console)
        for warning in self.warnings:
            console.print(warning, markup=False, highlight=False, soft_wrap=True)
        if self.failures:
            console.print(
                f"{len(self.failures)} attempts failed and count as wrong; the first:"
                f" {self.failures[0]}",
                markup=False,
                soft_wrap=True,
            )
        for told in filter(None, (self.spending, self.throughput)):
            console.print(str(told), markup=False, highlight=False, soft_wrap=True)
        for file in self.files:
            console.print(str(file), markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Drawing:
    """Options of the curves: costs to draw against, price of a million tokens, file formats, width, vertical axis."""

    against: Sequence[str] = ()
    price: Price | None = None
    formats: Sequence[str] = FORMATS
    width: Width = "screen"
    error_rate: bool = False

    def draw(self, curve: Sequence[Point], out: Path, caption: str) -> list[Path]:
        """Write the curves of `curve` to `out`."""
        costs = chosen(self.against, self.price, curve)
        measure = plot.ERROR_RATE if self.error_rate else plot.ACCURACY
        return plot.draw(curve, out, caption, costs, self.formats, self.width, measure)


def report(run: RunFolder, drawing: Drawing = Drawing()) -> Report:
    """Write summary.json, environment.json and the curves of a run to its folder.

    Raises:
        ConfigError: there is no such cost to draw against.
        StoreError: the run has no results, or a file cannot be written.
    """
    curve, out, runs = points(run), run.path, [run]
    if not curve:
        raise StoreError(f"{out} holds no results to plot; run `reasoner bench --out {out}` first")
    chosen(drawing.against, drawing.price, curve)  # Before anything is written.
    files = [
        summary.save(curve, out),
        provenance.save(runs, out),
        *drawing.draw(curve, out, provenance.caption(runs)),
    ]
    failures, warnings = list(_failures(run)), list(_warnings(run))
    return Report(curve, files, failures, warnings, throughput(out), total_spending(run))


def _failures(run: RunFolder) -> Iterator[str]:
    for spec in run.grid.specs():
        failed = [r for r in run.stored(spec) if r.error]
        yield from (f"{spec.label}, problem {r.problem}: {r.error}" for r in failed)


def _warnings(run: RunFolder) -> Iterator[str]:
    """Yield a line on estimated tokens, and one for every task on which best-of-N over-optimises its verifier."""
    yield from _estimated(run)
    grid = run.grid
    for task in grid.tasks if BEST in grid.strategies else ():
        curve = over_optimisation(run.pool(task), grid.ns)
        if curve and curve.shows:
            yield f"{task}: {grid.verifier!r} is over-optimised: {curve}"


def _estimated(run: RunFolder) -> Iterator[str]:
    """Yield a line if a server did not report all tokens."""
    records = [record for spec in run.grid.specs() for record in run.stored(spec)]
    estimated = sum(record.estimated_tokens for record in records)
    counted = (
        r.spend.generated_tokens + r.spend.prompt_tokens_fresh + r.spend.prompt_tokens_cached
        for r in records
    )
    if estimated:
        share = min(1.0, estimated / max(1, sum(counted)))
        yield (
            f"{share:.0%} of the tokens are estimates, because the server does not report them; name its"
            " tokenizer for exact ones, as in --backend 'openai(tokenizer=\"DIR\")'"
        )
