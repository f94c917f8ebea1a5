"""Titles of tasks in figures: by name, not by a local path or a list of settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

from reasoner.benchmarks.plots.style import TITLE, shortened
from reasoner.errors import ConfigError
from reasoner.naming import base_names, parse_spec


def titles(tasks: Iterable[str], limit: int = TITLE) -> dict[str, str]:
    """Return a title of at most `limit` characters for each task; those with the same name keep their settings."""
    names = {task: title(task) for task in tasks}
    counts = Counter(names.values())
    full = {task: name if counts[name] == 1 else base_names(task) for task, name in names.items()}
    return {task: shortened(name, limit) for task, name in full.items()}


def title(task: str) -> str:
    """Return a task's name, and that of its data set where the name does not tell it."""
    try:
        name, settings = parse_spec(task)
    except ConfigError:
        return base_names(task)
    data = PurePath(str(settings.get("dataset") or settings.get("data") or "")).stem
    return f"{name}: {data}" if data and name not in data else name
