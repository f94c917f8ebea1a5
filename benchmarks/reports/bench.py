"""Everything a benchmark shows, from its stored results alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from reasoner.benchmarks.analysis.cost_axes import Price, chosen
from reasoner.benchmarks.analysis.curves import Point, points, records
from reasoner.benchmarks.analysis.overoptimisation import over_optimisation
from reasoner.benchmarks.plots import accuracy_vs_cost as plot
from reasoner.benchmarks.reports import summary, table
from reasoner.benchmarks.store import provenance
from reasoner.benchmarks.store.engine_throughput import Throughput, throughput
from reasoner.benchmarks.store.grid import BEST, Grid
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.results import read
from reasoner.errors import StoreError


@dataclass(frozen=True, slots=True)
class Report:
    """The points, where their files are, which problems failed, where the verifier misleads, how fast it went."""

    points: list[Point]
    files: list[Path]
    failures: list[str]
    warnings: list[str]
    throughput: Throughput | None

    def as_json(self) -> dict[str, Any]:
        """One document for programs."""
        return {
            "summary": summary.as_json(self.points),
            "iso_accuracy": summary.headline(self.points),
            "failures": self.failures,
            "warnings": self.warnings,
            "throughput": self.throughput.model_dump() if self.throughput else None,
            "files": [str(f) for f in self.files],
        }

    def show(self, console: Console) -> None:
        """The table, the headline and the files, for people."""
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
        if self.throughput:
            console.print(str(self.throughput), markup=False, highlight=False, soft_wrap=True)
        for file in self.files:
            console.print(str(file), markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Drawing:
    """How curves are drawn: against which costs, at what price of a million tokens, to which files."""

    against: Sequence[str] = ()
    price: Price | None = None
    formats: Sequence[str] = plot.FORMATS


def report(grid: Grid, out: Path, drawing: Drawing = Drawing()) -> Report:
    """Write summary.json, environment.json and the curves from the results in `out`."""
    found = points(grid, out)
    if not found:
        raise StoreError(f"{out} holds no results to plot; run `reasoner bench --out {out}` first")
    costs, runs = chosen(drawing.against, drawing.price, found), [(grid, out)]
    files = [
        summary.save(found, out),
        provenance.save(runs, out),
        *plot.draw(found, out, provenance.caption(runs), costs, drawing.formats),
    ]
    failures, warnings = list(_failures(grid, out)), list(_warnings(grid, out))
    return Report(found, files, failures, warnings, throughput(out))


def _failures(grid: Grid, out: Path) -> Iterator[str]:
    for spec in grid.specs():
        failed: list[Record] = [r for r in read(out, spec) if r.error]
        yield from (f"{spec.label}, problem {r.problem}: {r.error}" for r in failed)


def _warnings(grid: Grid, out: Path) -> Iterator[str]:
    """A line for every task on which best-of-N's verifier is over-optimised."""
    for task in grid.tasks if BEST in grid.strategies else ():
        pool = grid.pool(task)
        found = over_optimisation(records(grid, pool, out), grid.ns) if pool else None
        if found and found.shows:
            yield f"{task}: {grid.verifier!r} is over-optimised: {found}"
