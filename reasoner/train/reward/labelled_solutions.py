"""Labelled solutions on disk, one JSON line each, and their split into training and held-out ones.

A line is a row of TRL's stepwise supervision (`prompt`, `completions`, `labels`) with further fields:

    {"id": "dagmath-default-train-0-0/0", "task": "dagmath", "prompt": "dg:c=a+b,...?d\\n",
     "completions": ["a7025+b1840=c8865", ...], "separator": "\\n", "labels": [true, ...],
     "values": [0.75, ...], "correct": true, "method": "monte-carlo", "k": 8, "tokens": 512}
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reasoner.benchmarks.store.records import Count
from reasoner.documents import Malformed, parse_model
from reasoner.errors import ConfigError, StoreError
from reasoner.files import read_lines, shown
from reasoner.schema import Frozen

Method = Literal["monte-carlo", "omega", "outcome", "exact"]


class LabelledSolution(Frozen, extra="ignore"):
    """A solution of a problem, as steps.

    `values` are the probabilities of a right answer after each step, from `k` continuations each; null if
    unknown. `tokens` counts the tokens generated for this row alone.
    """

    id: str
    task: str
    prompt: str
    completions: tuple[str, ...]
    separator: str
    labels: tuple[bool, ...]
    values: tuple[Annotated[float, Field(ge=0, le=1)] | None, ...]
    correct: bool
    method: Method
    k: Count
    tokens: Count

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if not len(self.completions) == len(self.labels) == len(self.values):
            raise ValueError("completions, labels and values differ in number")
        return self

    @property
    def targets(self) -> list[float]:
        """Return the probability of a right answer after each step: its value, or if unknown its label."""
        pairs = zip(self.values, self.labels, strict=True)
        return [float(label if value is None else value) for value, label in pairs]

    @property
    def solution(self) -> str:
        """Return the text, as a verifier reads it."""
        return self.separator.join(self.completions)


def read(path: Path) -> list[LabelledSolution]:
    """Read the solutions in a file.

    Raises:
        ConfigError: there are none.
        StoreError: the file cannot be read, or a line is no labelled solution.
    """
    rows = [_parse(path, number, line) for number, line in enumerate(read_lines(path), start=1)]
    if not rows:
        raise ConfigError(
            f"{shown(path)} has no solutions; write some with `reasoner train labels`"
        )
    return rows


def held_out(
    rows: Sequence[LabelledSolution], seed: int, share: float = 0.1
) -> tuple[list[LabelledSolution], list[LabelledSolution]]:
    """Split solutions into those to train on and those of a random `share` of the problems.

    Raises:
        ConfigError: all solutions are of one problem.
    """
    prompts = sorted({row.prompt for row in rows})
    if len(prompts) < 2:
        raise ConfigError("all solutions are of one problem; label more, or name --test solutions")
    held = set(Random(seed).sample(prompts, max(1, round(share * len(prompts)))))
    return [r for r in rows if r.prompt not in held], [r for r in rows if r.prompt in held]


def _parse(path: Path, number: int, line: bytes) -> LabelledSolution:
    try:
        return parse_model(LabelledSolution, line)
    except Malformed as e:
        raise StoreError(f"{shown(path)}:{number} is no labelled solution ({e})") from e
