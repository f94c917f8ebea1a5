"""Scores that take no verifier: what the surface of a solution tells, as a baseline for one that judges."""

from __future__ import annotations

from collections.abc import Callable

from reasoner.benchmarks.store.records import Sample
from reasoner.naming import parse_spec

Rule = Callable[[str, Sample], float]
"""The score of a sample, given the question that it answers."""


def on_target(_: str, sample: Sample) -> float:
    """1 where the last line of a `countdown` solution states that the target is reached."""
    return float(_last_line(sample).endswith("?+0"))


def on_letter(question: str, sample: Sample) -> float:
    """1 where the last line of a `dagmath` solution states a value of the letter asked for."""
    return float(f"={question.strip()[-1]}" in _last_line(sample))


def shortest(_: str, sample: Sample) -> float:
    """The fewer tokens, the higher."""
    return 1 / (1 + sample.tokens)


LAST_LINE: dict[str, Rule] = {"countdown": on_target, "dagmath": on_letter}


def rules(task: str) -> dict[str, Rule]:
    """Return the rules for a task, by the names that tables and figures have."""
    name, _ = parse_spec(task)
    last_line = {"last line": LAST_LINE[name]} if name in LAST_LINE else {}
    return {**last_line, "shortest": shortest}


def _last_line(sample: Sample) -> str:
    return sample.text.rstrip().rpartition("\n")[2]
