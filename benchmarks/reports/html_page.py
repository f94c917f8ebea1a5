"""One HTML file with a whole run: curves, comparisons, problems and trees. It needs no network."""

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
from reasoner.benchmarks.analysis.curves import Point, points
from reasoner.benchmarks.analysis.equal_cost import compare
from reasoner.benchmarks.plots.looks import COLOURS
from reasoner.benchmarks.reports.inspection import Attempt
from reasoner.benchmarks.store.engine_throughput import throughput
from reasoner.benchmarks.store.grid import BEST
from reasoner.benchmarks.store.provenance import environment, small_print
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError, StoreError
from reasoner.files import save_text
from reasoner.printable import all_printable

KEPT = 24
"""Problems a task with trees and samples, which are most of the file."""
KEYS = {
    "tokens": "generated_tokens",
    "thinking": "thinking_tokens",
    "flops": "flops",
    "seconds": "seconds",
    "samples": "n",
}
SPARE = ("#A6761D", "#7570B3", "#666666", "#E7298A", "#66A61E", "#1B9E77", "#B2182B", "#4393C3")

Json = dict[str, Any]


def write(run: RunFolder, path: Path, count: int = KEPT) -> Path:
    """Write the report of a run to `path`, with trees of the first `count` problems a task.

    Raises:
        StoreError: the run has no results, or the file cannot be written.
    """
    grid, curve, about = run.grid, points(run), environment([run])
    if not curve:
        raise StoreError(
            f"{run.path} holds no results to report; run `reasoner bench --out {run.path}` first"
        )
    document = {
        "title": f"{', '.join(grid.tasks)}: accuracy against compute",
        "caption": small_print(grid, about),
        "tasks": list(grid.tasks),
        "axes": [
            {"key": KEYS[name], "short": name, "label": axis.label}
            for name, axis in AXES.items()
            if name != "thinking" or any(point.thinking_tokens for point in curve)
        ],
        "colours": colours(curve),
        "points": [point.to_json() for point in curve],
        "rows": _rows(run),
        "problems": [row for task in grid.tasks for row in problems(run, task, count)],
        "kept": count,
        "environment": about,
        "throughput": str(throughput(run.path) or ""),
    }
    return save_text(_page(document), path)


def _page(document: Json) -> str:
    """Return the page of `document`, whose texts can neither run as code nor end the data."""
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


def colours(points: Sequence[Point]) -> dict[str, str]:
    """Return a colour for each strategy: its own, or a spare one."""
    spare = cycle(SPARE)
    names = dict.fromkeys(point.strategy for point in points)
    return {name: COLOURS.get(name) or next(spare) for name in names}


def problems(run: RunFolder, task: str, count: int) -> Iterator[Json]:
    """Yield every problem of a task with all attempts at it, the first `count` with trees and samples."""
    rows = dict[str, Json]()
    pool = run.grid.pool(task)
    for spec in (s for s in run.grid.specs() if s.task == task):
        records = run.records(spec)
        trees = run.trees(spec, {r.problem for r in records if r.index < count})
        for record in records:
            row = rows.setdefault(record.problem, _problem(task, record))
            attempt = _attempt(Attempt(spec, record), whole=record.index < count)
            if tree := trees.get(record.problem):
                attempt["tree"] = [piece.model_dump(exclude_defaults=True) for piece in tree.pieces]
                row["question"] = row["question"] or tree.pieces[0].text
                row["reference"] = row["reference"] or tree.reference
            if spec == pool and record.samples:
                row |= {"question": record.question, "reference": record.reference}
                row["rate"] = float(np.mean([s.correct for s in record.samples]))
            row["attempts"].append(attempt)
    yield from sorted(rows.values(), key=lambda row: int(row["index"]))


def _rows(run: RunFolder) -> list[Json]:
    """Return the paired comparison, if the run has best-of-N and a cost to compare at."""
    if BEST not in run.grid.strategies:
        return []
    try:
        return [row.model_dump() for row in compare([run])]
    except ConfigError:
        return []


def _problem(task: str, record: Record) -> Json:
    named = {"task": task, "id": record.problem, "index": record.index}
    return {**named, "question": record.question, "reference": record.reference, "attempts": []}


def _attempt(attempt: Attempt, *, whole: bool) -> Json:
    record = attempt.record
    fields: Json = {
        "strategy": attempt.spec.strategy,
        "size": attempt.size,
        "correct": record.correct,
        "answer": record.answer,
        "tokens": round(record.spend.generated_tokens),
        "stopped": record.stopped,
        "error": record.error,
    }
    if record.spend.thinking_tokens:
        fields["thinking"] = round(record.spend.thinking_tokens)
    if whole and record.samples:
        fields["samples"] = [s.model_dump(exclude_defaults=True) for s in record.samples]
    return fields
