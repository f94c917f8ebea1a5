"""What an experiment is, and what it records of every problem."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from math import isfinite
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    model_validator,
)

from reasoner.printable import Text
from reasoner.schema import Frozen
from reasoner.types import Sampling

SCHEMA = 1
MOST = 2**53
"""The largest number of anything: beyond it a float does not count."""


def _finite(number: object) -> object:
    return None if isinstance(number, float) and not isfinite(number) else number


def _all_finite(numbers: object) -> object:
    listed = numbers if isinstance(numbers, list | tuple) else [numbers]
    return () if any(_finite(number) is None for number in listed) else numbers


Count = Annotated[int, Field(ge=0, le=MOST)]
Size = Annotated[int, Field(ge=1, le=MOST)]
Rating = Annotated[float | None, BeforeValidator(_finite)]
"""A score; none where it is not a finite number."""
Ratings = Annotated[tuple[float, ...], BeforeValidator(_all_finite)]
"""Scores of steps; none where one of them is not a finite number."""


class Spec(Frozen):
    """Everything that decides a result: two equal specs are the same experiment.

    The number of problems is absent on purpose: a longer run extends a shorter one.
    """

    task: str
    split: str = "test"
    task_seed: int = 0
    model: str = "embedded"
    weights: str = ""
    """What tells the model's weights apart from others of its name, where that can be told."""
    sampling: Sampling | None = None
    """How the task has solutions drawn."""
    backend: str
    strategy: str
    n: Size
    verifier: str | None = None
    budget: dict[str, float] | None = None
    seed: int = 0

    @property
    def key(self) -> str:
        """A short name that equal specs share."""
        told = self.model_dump()
        if self.sampling:
            told["sampling"] = recorded(self.sampling)
        blob = json.dumps(told, sort_keys=True).encode()
        return hashlib.sha256(blob).hexdigest()[:12]

    @property
    def label(self) -> str:
        """What a person calls this experiment."""
        size = " ".join(f"{k}={v:g}" for k, v in (self.budget or {}).items()) or f"n={self.n}"
        return f"{self.task} {self.strategy} {size}"


def recorded(sampling: Sampling) -> dict[str, Any]:
    """`sampling` as records have it: there are some from before labels and ends could be asked for."""
    return {k: v for k, v in asdict(sampling).items() if v or k not in ("labels", "end")}


class Spend(Frozen):
    """What one problem cost, by role."""

    generated_tokens: FiniteFloat = 0
    prompt_tokens_fresh: FiniteFloat = 0
    prompt_tokens_cached: FiniteFloat = 0
    verifier_tokens: FiniteFloat = 0
    generator_flops: FiniteFloat = 0
    verifier_flops: FiniteFloat = 0
    seconds: FiniteFloat = 0

    @property
    def flops(self) -> float:
        """Generator and verifier together."""
        return self.generator_flops + self.verifier_flops


class Sample(Frozen):
    """One solution of a pool; `steps` are scores of its steps, where they came with it.

    A solution that was cut off is not `complete`: it has no answer and no score, and is wrong, whatever its
    text says. Records from before the text was kept have none.
    """

    answer: Text | None
    correct: bool
    score: Rating
    tokens: Count
    text: Text = ""
    steps: Ratings = ()
    complete: bool = True

    @model_validator(mode="before")
    @classmethod
    def _cut_off(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and not fields.get("complete", True):
            return {**fields, "answer": None, "score": None, "correct": False}
        return fields


class Row(Frozen):
    """What is kept of one problem; `index` is its place in the split."""

    problem: Text
    index: Count
    error: Text | None = None


class Record(Row):
    """One problem, attempted once.

    `prompt_tokens` and `prompt_flops` are what the bare problem costs where nothing is cached, and
    `tails_flops` what all samples after the first spent on the part of it that the cache did not hold;
    records from before that was kept have none. Where there are `samples`, `question` and `reference` are
    what they are graded against.
    """

    correct: bool
    answer: Text | None = None
    score: Rating = None
    spend: Spend = Spend()
    prompt_tokens: Count = 0
    prompt_flops: FiniteFloat = 0
    tails_flops: FiniteFloat | None = None
    stopped: str = ""
    oracle: bool = False
    samples: tuple[Sample, ...] = ()
    question: Text = ""
    reference: Text = ""


class Header(Frozen):
    """The first line of a results file."""

    schema_version: int = SCHEMA
    spec: Spec
    environment: dict[str, Any] = Field(default_factory=dict[str, Any])
