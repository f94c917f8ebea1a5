"""Scores that read only the surface of a solution, as a baseline for verifiers."""

from __future__ import annotations

from collections.abc import Callable

from reasoner.benchmarks.store.records import Sample
from reasoner.naming import parse_spec

SurfaceRule = Callable[[str, Sample], float]
"""A function of a question and a sample of its solutions to the sample's score."""


def on_target(_: str, sample: Sample) -> float:
    """Return 1 where the last line of a `countdown` solution claims to reach the target, else 0."""
    return float(_last_line(sample).endswith("?+0"))


def on_letter(question: str, sample: Sample) -> float:
    """Return 1 where the last line of a `dagmath` solution states a value of the queried letter, else 0."""
    return float(f"={question.strip()[-1]}" in _last_line(sample))


def shortest(_: str, sample: Sample) -> float:
    """Return a score that falls with the number of tokens."""
    return 1 / (1 + sample.tokens)


LAST_LINE: dict[str, SurfaceRule] = {"countdown": on_target, "dagmath": on_letter}


def surface_rules(task: str) -> dict[str, SurfaceRule]:
    """Return the rules for a task, by the names that tables and figures show."""
    name, _ = parse_spec(task)
    last_line = {"last line": LAST_LINE[name]} if name in LAST_LINE else {}
    return {**last_line, "shortest": shortest}


def _last_line(sample: Sample) -> str:
    return sample.text.rstrip().rpartition("\n")[2]
