"""What an experiment is, and what it records of every problem."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from reasoner.printable import Text
from reasoner.types import Sampling

SCHEMA = 1


class Frozen(BaseModel):
    """A validated, immutable row of a results file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
    n: int = Field(ge=1)
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

    generated_tokens: float = 0
    prompt_tokens_fresh: float = 0
    prompt_tokens_cached: float = 0
    verifier_tokens: float = 0
    generator_flops: float = 0
    verifier_flops: float = 0
    seconds: float = 0

    @property
    def flops(self) -> float:
        """Generator and verifier together."""
        return self.generator_flops + self.verifier_flops


class Sample(Frozen):
    """One solution of a pool; `steps` are scores of its steps, where they came with it.

    A solution that was cut off is not `complete`, and has no answer. Records from before the text was
    kept have none.
    """

    answer: Text | None
    correct: bool
    score: float | None
    tokens: int
    text: Text = ""
    steps: tuple[float, ...] = ()
    complete: bool = True


class Row(Frozen):
    """What is kept of one problem; `index` is its place in the split."""

    problem: Text
    index: int
    error: Text | None = None


class Record(Row):
    """One problem, attempted once.

    `prompt_tokens` and `prompt_flops` are what the bare problem costs where nothing is cached. Where
    there are `samples`, `question` and `reference` are what they are graded against.
    """

    correct: bool
    answer: Text | None = None
    score: float | None = None
    spend: Spend = Spend()
    prompt_tokens: int = 0
    prompt_flops: float = 0
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
