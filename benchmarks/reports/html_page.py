"""One HTML file with a whole run: curves, comparisons, problems and trees. It needs no network."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from reasoner.benchmarks.analysis.cost_axes import AXES
from reasoner.benchmarks.analysis.curves import points
from reasoner.benchmarks.analysis.equal_cost import compare
from reasoner.benchmarks.plots.looks import SOLID, Look, looks
from reasoner.benchmarks.reports.inspection import Attempt
from reasoner.benchmarks.store.engine_throughput import throughput
from reasoner.benchmarks.store.grid import BEST
from reasoner.benchmarks.store.provenance import environment, small_print
from reasoner.benchmarks.store.records import Record, Sample
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.search_trees import Piece
from reasoner.errors import ConfigError, StoreError
from reasoner.files import save_text
from reasoner.printable import all_printable
from reasoner.thinking import split
from reasoner.types import segments

DETAILED = 24
"""Problems a task with trees and samples, which are most of the file."""
KEYS = {
    "tokens": "generated_tokens",
    "thinking": "thinking_tokens",
    "flops": "flops",
    "seconds": "seconds",
    "samples": "n",
}

Json = dict[str, Any]


def write(run: RunFolder, path: Path, count: int = DETAILED) -> Path:
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
        "looks": {n: _look(k) for n, k in looks(p.strategy for p in curve).items()},
        "points": [point.to_json() for point in curve],
        "rows": _rows(run),
        "problems": [row for task in grid.tasks for row in problems(run, task, count)],
        "detailed": count,
        "environment": about,
        "throughput": str(throughput(run.path) or ""),
    }
    return save_text(_page(document), path)


def _page(document: Json) -> str:
    """Return the page of `document`, whose texts can neither run as code nor end the data."""
    folder = files("reasoner.benchmarks.reports")
    page, style, script = (
        folder.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("html", "css", "js")
    )
    # No `<`: HTML reads `</script>` and `<!--` in a script, too.
    data = json.dumps(all_printable(document), separators=(",", ":")).replace("<", "\\u003c")
    parts = {"policy": _policy(script, style), "style": style, "script": script, "data": data}
    for name, content in parts.items():  # The data last: nothing is replaced in it.
        page = page.replace("{{" + name + "}}", content)
    return page


def _policy(script: str, style: str) -> str:
    """Return a content security policy: this script and this style, and nothing else at all."""
    scripts, styles = (
        f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
        for content in (script, style)
    )
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:;"
        " base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _look(look: Look) -> Json:
    dash = "" if look.dash == SOLID else " ".join(str(2 * part) for part in look.dash[1])
    return {"colour": look.colour, "dash": dash}


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
                attempt["tree"] = [_piece(piece) for piece in tree.pieces]
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
        fields["samples"] = [_sample(sample) for sample in record.samples]
    return fields


def _sample(sample: Sample) -> Json:
    """Return a sample with its thinking apart from its text."""
    parts = split(sample.text)
    fields = sample.model_dump(exclude_defaults=True, exclude={"outputs"}) | {"text": parts.answer}
    if sample.outputs:
        fields["parts"] = segments(sample.text, sample.outputs, parts.end, parts.resumed)
    return fields | {"thinking": parts.thinking} if parts.thinking else fields


def _piece(piece: Piece) -> Json:
    """Return a piece of a tree, in parts where a tool wrote some."""
    fields = piece.model_dump(exclude_defaults=True, exclude={"outputs"})
    return fields | ({"parts": segments(piece.text, piece.outputs)} if piece.outputs else {})
