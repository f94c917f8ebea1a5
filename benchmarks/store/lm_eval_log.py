"""Samples that lm-eval writes with `--log_samples`, as a pool: a line per problem and filter.

A problem's `resps` hold its texts before any filter: several where the task repeats a request. Lines
that differ only in `filter` have the same texts; each has the metrics of its filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from reasoner.benchmarks.store.pool_file import Recorded, Written, spelled
from reasoner.documents import Malformed, parse_json, reason
from reasoner.errors import ConfigError
from reasoner.files import clipped, read_lines, shown
from reasoner.printable import Text
from reasoner.schema import Frozen


class LoggedProblem(Frozen, extra="allow"):
    """A line of the log; the metrics are further fields, named by `metrics`."""

    doc_id: int | str
    target: Text
    arguments: dict[str, dict[str, Any]] | list[list[Any]]
    resps: list[list[Any]] = Field(min_length=1)
    filter: str = "none"
    metrics: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """The prompt, as the model read it."""
        first = next(
            iter(self.arguments.values() if isinstance(self.arguments, dict) else self.arguments),
            {},
        )
        prompt = first.get("arg_0") if isinstance(first, dict) else next(iter(first), None)
        return prompt if isinstance(prompt, str) else str(prompt)

    def grade(self, score: str) -> bool | None:
        """Return whether the log counts the problem as right by the metric `score`, or by its first."""
        metric = score.partition(",")[0] or next(iter(self.metrics), "")
        value = (self.model_extra or {}).get(metric)
        return value >= 1 if isinstance(value, bool | int | float) else None


def read_lm_eval(path: Path, score: str = "") -> list[Recorded]:
    """Return the problems of a log, in its order.

    `score` is a metric, or a metric and a filter as lm-eval prints them (`exact_match,strict-match`);
    without one, the first metric of the first filter counts.

    Raises:
        ConfigError: a line is none of such a log, or has log-likelihoods in place of texts.
        StoreError: the file cannot be read.
    """
    pool, wanted = dict[str, Recorded](), score.partition(",")[2]
    for number, blob in enumerate(read_lines(path), 1):
        if blob.strip():
            line = _line(path, number, blob)
            name = spelled(line.doc_id)
            if name not in pool or (wanted and line.filter == wanted):
                pool[name] = _recorded(f"{shown(path)}:{number}", name, line, score)
    return list(pool.values())


def is_lm_eval(row: Mapping[str, Any]) -> bool:
    """Return whether a line is one of such a log."""
    return {"doc_id", "resps", "target"} <= row.keys()


def _line(path: Path, number: int, blob: bytes) -> LoggedProblem:
    try:
        return LoggedProblem.model_validate(parse_json(blob))
    except (Malformed, ValidationError) as e:
        why = reason(e) if isinstance(e, ValidationError) else str(e)
        raise ConfigError(
            f"{shown(path)}:{number} is no line of an lm-eval log ({clipped(why, 60)}); it takes a file"
            " samples_TASK_DATE.jsonl that lm-eval --log_samples wrote"
        ) from e


def _recorded(place: str, name: str, line: LoggedProblem, score: str) -> Recorded:
    texts = [text for request in line.resps for text in request]
    if not all(isinstance(text, str) for text in texts):
        raise ConfigError(
            f"{place} has log-likelihoods of given texts, not solutions; import a task that generates"
        )
    # A metric grades the problem; it grades a solution only where there is one.
    grade = line.grade(score) if len(texts) == 1 else None
    return Recorded(
        id=name,
        question=line.question,
        answer=line.target,
        completions=tuple(Written(text=text, correct=grade) for text in texts),
    )
