"""Pools of solutions as JSON lines, one problem a line.

    {"id": "7", "question": "…", "answer": "18", "completions": [{"text": "… A: 18", "score": 0.9}]}

A completion may have a `score`, `step_scores`, its `tokens` and its `finish_reason`, or be a plain string.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import FiniteFloat, ValidationError

from reasoner.benchmarks.store.records import Count
from reasoner.documents import Malformed, parse_json, reason
from reasoner.errors import ConfigError
from reasoner.files import clipped, read_lines, replacing, shown
from reasoner.printable import Text, storable
from reasoner.schema import Frozen

FIELDS = {
    "id": ("id", "idx", "unique_id", "problem_id", "task_id"),
    "question": ("question", "problem", "prompt"),
    "answer": ("answer", "gt", "reference", "solution"),
    "completions": ("completions", "code", "samples", "responses", "solutions"),
}
"""Names of the parts of a problem in data sets; the first one present counts."""


class Written(Frozen, extra="ignore"):
    """A recorded solution; one with `finish_reason` "length" was cut off.

    `correct` is the grade by whoever recorded it, where known.
    """

    text: Text
    score: FiniteFloat | None = None
    step_scores: tuple[FiniteFloat, ...] = ()
    tokens: Count | None = None
    finish_reason: str | None = None
    correct: bool | None = None


class Recorded(Frozen, extra="ignore"):
    """A problem with its recorded solutions."""

    id: Text
    question: Text
    answer: Text
    completions: tuple[Written, ...]


def read_pool(path: Path, fields: Mapping[str, str] | None = None) -> list[Recorded]:
    """The problems of a file, in its order.

    Raises:
        ConfigError: a line is no problem, or two are the same.
        StoreError: the file cannot be read.
    """
    pool = dict[str, Recorded]()
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            problem = _problem(path, number, line, fields or {})
            if problem.id in pool:
                raise ConfigError(
                    f"{shown(path)} has problem {clipped(problem.id, 40)!r} twice; put its completions"
                    " on one line"
                )
            pool[problem.id] = problem
    return list(pool.values())


def write_pool(pool: Iterable[Recorded], path: Path) -> None:
    """Write problems as `read_pool` reads them.

    Raises:
        StoreError: the file cannot be written.
    """
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        for problem in pool:
            file.write(storable(problem.model_dump_json(exclude_defaults=True)) + "\n")


def _problem(path: Path, number: int, line: bytes, fields: Mapping[str, str]) -> Recorded:
    place = f"{shown(path)}:{number}"
    try:
        row = parse_json(line)
    except Malformed as e:
        raise ConfigError(f"{place} is no JSON ({e}); it takes one problem a line") from e
    if not isinstance(row, dict):
        raise ConfigError(f"{place} is no JSON object; it takes one problem a line")
    names = {part: _field(row, part, fields.get(part)) for part in FIELDS}
    parts = {part: row[name] for part, name in names.items() if name in row}
    try:
        return Recorded.model_validate({"id": str(number), **_plain(parts)})
    except ValidationError as e:
        raise ConfigError(
            f"{place}: {clipped(reason(e).lower(), 60)}; the line has {clipped(list(row), 60)}"
            f" (name fields with --{e.errors()[0]['loc'][0]!s}-field)"
        ) from e


def _field(row: Mapping[str, Any], part: str, named: str | None) -> str:
    return named or next((name for name in FIELDS[part] if name in row), part)


def _plain(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Ids and answers may be numbers, completions plain strings, or one instead of a list."""
    plain = dict(parts)
    for part in ("id", "answer"):
        if isinstance(plain.get(part), int | float):
            plain[part] = spelled(plain[part])
    if (completions := plain.get("completions")) is not None:
        listed = completions if isinstance(completions, list) else [completions]
        plain["completions"] = [{"text": c} if isinstance(c, str) else c for c in listed]
    return plain


def spelled(number: float | str) -> str:
    """Return an id or answer as text, whole numbers without a point."""
    whole = isinstance(number, float) and number.is_integer()
    return str(int(number)) if whole else str(number)
