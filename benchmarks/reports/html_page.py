"""One HTML file with everything a run tells: curves, comparisons, problems, trees; it needs no network."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.resources import files
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from reasoner.benchmarks.analysis.cost_axes import AXES
from reasoner.benchmarks.analysis.curves import Point, points, records
from reasoner.benchmarks.analysis.equal_cost import compare
from reasoner.benchmarks.plots.accuracy_vs_cost import COLOURS
from reasoner.benchmarks.reports.inspection import Attempt
from reasoner.benchmarks.store.engine_throughput import throughput
from reasoner.benchmarks.store.grid import BEST, Grid
from reasoner.benchmarks.store.provenance import caption, environment
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.search_trees import read_trees
from reasoner.errors import ConfigError, StoreError
from reasoner.files import save_text
from reasoner.printable import all_printable

KEPT = 24
"""Problems a task whose trees and samples come along: they are most of the file."""
KEYS = {"tokens": "generated_tokens", "flops": "flops", "seconds": "seconds", "samples": "n"}
SPARE = ("#A6761D", "#7570B3", "#666666", "#E7298A", "#66A61E", "#1B9E77", "#B2182B", "#4393C3")

Json = dict[str, Any]


def write(out: Path, path: Path, kept: int = KEPT) -> Path:
    """Write the report of the run in `out` to `path`, with trees of the first `kept` problems a task.

    Raises:
        StoreError: there are no results, or the file cannot be written.
    """
    grid = Grid.load(out)
    found = points(grid, out)
    if not found:
        raise StoreError(
            f"{out} holds no results to report; run `reasoner bench --out {out}` first"
        )
    document = {
        "title": f"{', '.join(grid.tasks)}: accuracy against compute",
        "caption": caption([(grid, out)]),
        "tasks": list(grid.tasks),
        "axes": [{"key": KEYS[n], "short": n, "label": axis.label} for n, axis in AXES.items()],
        "colours": colours(found),
        "points": [point.model_dump() for point in found],
        "rows": _rows(grid, out),
        "problems": [row for task in grid.tasks for row in problems(grid, out, task, kept)],
        "kept": kept,
        "environment": environment([(grid, out)]),
        "throughput": str(throughput(out) or ""),
    }
    return save_text(_page(document), path)


def _page(document: Json) -> str:
    """Return the page that shows `document`, whose texts can neither run nor end the data."""
    template = files("reasoner.benchmarks.reports").joinpath("page.html").read_text("utf-8")
    # No `<`: HTML reads `</script>` and `<!--` in a script, too.
    data = json.dumps(all_printable(document), separators=(",", ":")).replace("<", "\\u003c")
    return template.replace("{{policy}}", _policy(template)).replace("{{data}}", data)


def _policy(template: str) -> str:
    """Return a content security policy: this script and this style, and nothing else at all."""

    def own(element: str) -> str:
        [content] = re.findall(f"<{element}>(.*?)</{element}>", template, re.DOTALL)
        return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; script-src {own('script')}; style-src {own('style')}; img-src data:;"
        " base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def colours(found: Sequence[Point]) -> dict[str, str]:
    """One for each strategy: its own, or a spare one."""
    spare = cycle(SPARE)
    names = dict.fromkeys(point.strategy for point in found)
    return {name: COLOURS.get(name) or next(spare) for name in names}


def problems(grid: Grid, out: Path, task: str, kept: int) -> Iterator[Json]:
    """Every problem of a task with all attempts at it, the first `kept` with trees and samples."""
    told = dict[str, Json]()
    pool = grid.pool(task)
    for spec in (s for s in grid.specs() if s.task == task):
        found = records(grid, spec, out)
        trees = read_trees(out, spec, {r.problem for r in found if r.index < kept})
        for record in found:
            row = told.setdefault(record.problem, _problem(task, record))
            attempt = _attempt(Attempt(spec, record), whole=record.index < kept)
            if tree := trees.get(record.problem):
                attempt["tree"] = [piece.model_dump(exclude_defaults=True) for piece in tree.pieces]
                row["question"] = row["question"] or tree.pieces[0].text
                row["reference"] = row["reference"] or tree.reference
            if spec == pool and record.samples:
                row |= {"question": record.question, "reference": record.reference}
                row["rate"] = float(np.mean([s.correct for s in record.samples]))
            row["attempts"].append(attempt)
    yield from sorted(told.values(), key=lambda row: int(row["index"]))


def _rows(grid: Grid, out: Path) -> list[Json]:
    """The paired comparison, where there is best-of-N and a cost to compare at."""
    if BEST not in grid.strategies:
        return []
    try:
        return [row.model_dump() for row in compare([(grid, out)])]
    except ConfigError:
        return []


def _problem(task: str, record: Record) -> Json:
    named = {"task": task, "id": record.problem, "index": record.index}
    return {**named, "question": record.question, "reference": record.reference, "attempts": []}


def _attempt(attempt: Attempt, *, whole: bool) -> Json:
    record = attempt.record
    told: Json = {
        "strategy": attempt.spec.strategy,
        "size": attempt.size,
        "correct": record.correct,
        "answer": record.answer,
        "tokens": round(record.spend.generated_tokens),
        "stopped": record.stopped,
        "error": record.error,
    }
    if whole and record.samples:
        told["samples"] = [s.model_dump(exclude_defaults=True) for s in record.samples]
    return told
