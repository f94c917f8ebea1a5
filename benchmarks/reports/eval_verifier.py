"""The diagnosis of a verifier: the table, the figure and the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from reasoner.benchmarks.analysis.calibration import Reliability
from reasoner.benchmarks.analysis.verifier_quality import Quality, StepQuality, quality
from reasoner.benchmarks.plots.verifier import draw
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.store.judgements import DiagnosisPlan
from reasoner.benchmarks.store.provenance import small_print
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import StoreError
from reasoner.files import save_json

Line = tuple[str, str, str, str]
"""A measure, its value, its interval, and its sample."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The quality of the verifier on each task, and the files."""

    found: list[Quality]
    files: list[Path]

    def as_json(self) -> dict[str, Any]:
        """Return the diagnosis as plain JSON values."""
        return {
            "tasks": [q.model_dump() for q in self.found],
            "files": [str(f) for f in self.files],
        }

    def show(self, console: Console) -> None:
        """Print a table per task, a warning where the verifier is over-optimised, and the files."""
        for each in self.found:
            console.print(_table(each))
            if each.over_optimisation and each.over_optimisation.shows:
                console.print(
                    f"{each.task}: {each.verifier!r} is over-optimised: {each.over_optimisation}",
                    markup=False, highlight=False, soft_wrap=True,
                )  # fmt: skip
        for file in self.files:
            console.print(str(file), markup=False, highlight=False, soft_wrap=True)


def diagnose(plan: DiagnosisPlan, out: Path) -> Diagnosis:
    """Write diagnosis.json, reliability.png and reliability.svg from the judgements in `out`.

    Raises:
        StoreError: there are none.
    """
    qualities = [q for task in plan.grid.tasks if (q := quality(plan, out, task))]
    if not qualities:
        raise StoreError(
            f"{out} holds no judgements by {plan.grid.verifier!r};"
            f" run `reasoner eval-verifier --out {out}` first"
        )
    header = RunFolder(out, plan.grid).header(plan.judged(qualities[0].task))
    about = header.environment if header else {}
    document = {**about, "plan": plan.model_dump(mode="json")}
    document["tasks"] = [q.model_dump() for q in qualities]
    files = [
        save_json(document, out / "diagnosis.json"),
        *draw(qualities, out, small_print(plan.grid, about)),
    ]
    return Diagnosis(qualities, files)


def _table(quality: Quality) -> Table:
    title = (
        f"{quality.task}: {quality.verifier} on {quality.problems} {quality.split} problems"
        f" × {quality.samples} solutions"
    )
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for name in ("measure", "value", "95 % CI", ""):
        table.add_column(name, justify="left" if name in ("measure", "") else "right")
    for line in _lines(quality):
        table.add_row(*line)
    return table


def _lines(quality: Quality) -> Iterator[Line]:
    if quality.steps:
        yield from _step_lines(quality.steps)
    yield _line("solution AUC", quality.auc, f"{quality.finished:.1%} of the solutions finished")
    if quality.reliability:
        yield "solution ECE", f"{quality.reliability.ece:.3f}", "", _bins(quality.reliability)
    yield from _selection_lines(quality)


def _step_lines(steps: StepQuality) -> Iterator[Line]:
    yield _line("step AUC", steps.auc, f"{steps.steps:,} steps, {steps.right:.1%} of them right")
    for depth in steps.by_depth:
        if depth.auc:
            note = f"{depth.steps:,} steps, {depth.right:.1%} right"
            yield _line(f"  step {depth.depth}", depth.auc, note)
    if error := steps.first_error:
        note = f"below {error.threshold:.3f}, chosen on other dev problems"
        yield _line("first-error F1", error.f1, note)
        yield _line("  located", error.wrong, f"of {error.wrong_solutions:,} solutions with one")
        yield _line("  passed", error.right, f"of {error.right_solutions:,} without")
    if steps.reliability:
        yield "step ECE", f"{steps.reliability.ece:.3f}", "", _bins(steps.reliability)


def _selection_lines(quality: Quality) -> Iterator[Line]:
    largest = quality.at(quality.samples)
    for size in dict.fromkeys((quality.at(8), largest)):
        gain = size.gain.times(100)
        yield _line(
            f"best-of-{size.n}",
            size.best_of_n,
            f"{gain.value:+.1f} points ({gain.low:+.1f} to {gain.high:+.1f}) on majority's"
            f" {size.majority}; weighted {size.weighted}, pass@{size.n} {size.coverage}",
        )
    yield _line(
        "gap closed", largest.gap_closed, f"between majority@{largest.n} and pass@{largest.n}"
    )
    if slope := quality.over_optimisation:
        note = f"accuracy a doubling, best-of-{slope.peak} to best-of-{slope.n}"
        yield _line("slope", slope.slope, f"{note}; mean score {slope.score:.3f}")
    if both := quality.agreement:
        yield _line("agreement", both.alike, f"of best-of-{largest.n} with majority@{largest.n}")
        yield _line("  best right", both.best_right, "where they differ")
        yield _line("  majority right", both.majority_right, "where they differ")
    tokens, share = quality.verifier_tokens, quality.verifier_flops
    yield "verifier cost", f"{share:.3f}", "", f"of all FLOPs; {tokens:,.0f} tokens a problem"
    if quality.malformed:
        yield "malformed", str(quality.malformed), "", "verdicts that could not be read"
    if quality.failed:
        yield "failed", str(quality.failed), "", "problems; they count as wrong"


def _line(name: str, estimate: Estimate | None, note: str) -> Line:
    return (name, str(estimate), estimate.interval, note) if estimate else (name, "-", "", note)


def _bins(reliability: Reliability) -> str:
    return f"{len(reliability.bins)} bins; {reliability.right:.1%} right"
