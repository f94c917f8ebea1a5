"""Pools of solutions as JSON lines, one problem a line.

    {"id": "7", "question": "…", "answer": "18", "completions": [{"text": "… A: 18", "score": 0.9}]}

A completion may have a `score`, `step_scores` and its `tokens`, or be a plain string.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from reasoner.benchmarks.spec import Frozen
from reasoner.errors import ConfigError, StoreError
from reasoner.printable import Text

FIELDS = {
    "id": ("id", "idx", "unique_id", "problem_id", "task_id"),
    "question": ("question", "problem", "prompt"),
    "answer": ("answer", "gt", "reference", "solution"),
    "completions": ("completions", "code", "samples", "responses", "solutions"),
}
"""What datasets call the parts of a problem, the first that is there is taken."""


class Written(Frozen, extra="ignore"):
    """A recorded solution."""

    text: Text
    score: float | None = None
    step_scores: tuple[float, ...] = ()
    tokens: int | None = Field(default=None, ge=0)


class Recorded(Frozen, extra="ignore"):
    """A problem with its recorded solutions."""

    id: Text
    question: Text
    answer: Text
    completions: tuple[Written, ...]


def read_pool(path: Path, fields: Mapping[str, str] | None = None) -> list[Recorded]:
    """The problems of a file, in its order.

    Raises:
        ConfigError: a line is no problem, two are the same, or there is none.
        StoreError: the file cannot be read.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise StoreError(f"cannot read {path}: {getattr(e, 'strerror', None) or e}") from e
    pool = [
        _problem(path, n, line, fields or {}) for n, line in enumerate(lines, 1) if line.strip()
    ]
    if not pool:
        raise ConfigError(f"{path} holds no problems; it takes JSON lines, one problem a line")
    if not any(problem.completions for problem in pool):
        raise ConfigError(f"{path} holds no completions; see `reasoner import-pool --help`")
    names = [problem.id for problem in pool]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ConfigError(f"{path} has problem {twice[0]!r} twice; put its completions on one line")
    return pool


def write_pool(pool: Iterable[Recorded], path: Path) -> None:
    """Write problems as `read_pool` reads them.

    Raises:
        StoreError: the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            for problem in pool:
                file.write(problem.model_dump_json(exclude_defaults=True) + "\n")
        part.replace(path)
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e.strerror}") from e


def _problem(path: Path, number: int, line: str, fields: Mapping[str, str]) -> Recorded:
    try:
        row = json.loads(line)
    except ValueError as e:
        raise ConfigError(f"{path}:{number} is no JSON ({e}); it takes one problem a line") from e
    if not isinstance(row, dict):
        raise ConfigError(f"{path}:{number} is no JSON object; it takes one problem a line")
    names = {part: _field(row, part, fields.get(part)) for part in FIELDS}
    parts = {part: row[name] for part, name in names.items() if name in row}
    try:
        return Recorded.model_validate({"id": str(number), **_plain(parts)})
    except ValidationError as e:
        wrong = e.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise ConfigError(
            f"{path}:{number}: {where}: {wrong['msg'].lower()}; the line has"
            f" {', '.join(map(repr, row))} (name fields with --{wrong['loc'][0]!s}-field)"
        ) from e


def _field(row: Mapping[str, Any], part: str, named: str | None) -> str:
    return named or next((name for name in FIELDS[part] if name in row), part)


def _plain(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Ids and answers may be numbers, completions plain strings, or one instead of a list."""
    plain = dict(parts)
    for part in ("id", "answer"):
        if isinstance(plain.get(part), int | float):
            plain[part] = _spelled(plain[part])
    if (found := plain.get("completions")) is not None:
        listed = found if isinstance(found, list) else [found]
        plain["completions"] = [{"text": c} if isinstance(c, str) else c for c in listed]
    return plain


def _spelled(number: float) -> str:
    whole = isinstance(number, float) and number.is_integer()
    return str(int(number)) if whole else str(number)
