"""The spec of an experiment, and its record of every problem."""

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
)

from reasoner.events import Stopped
from reasoner.printable import Text
from reasoner.schema import Frozen
from reasoner.types import Sampling, ToolOutput

SCHEMA = 1
MOST = 2**53
"""The largest count: beyond it a float skips whole numbers."""


def _finite(number: object) -> object:
    return None if isinstance(number, float) and not isfinite(number) else number


LATER = ("labels", "end", "thinking_budget", "schema")
"""Fields of `Sampling` that old records do not have; one that is not set is left out."""

ADDED = ("second", "second_weights", "tools")
"""Fields of `Spec` that old records do not have; one that is not set is no part of its key."""

Count = Annotated[int, Field(ge=0, le=MOST)]
Size = Annotated[int, Field(ge=1, le=MOST)]
Rating = Annotated[float | None, BeforeValidator(_finite)]
"""A score; None where it is not a finite number."""


class Spec(Frozen):
    """Everything that determines a result: two equal specs are the same experiment.

    The number of problems is absent on purpose: a longer run extends a shorter one.
    """

    task: str
    split: str = "test"
    task_seed: int = 0
    model: str = "embedded"
    weights: str = ""
    """The identity of the weights, which tells models of one name apart; empty where it is unknown."""
    sampling: Sampling | None = None
    """The sampling parameters of the task."""
    backend: str
    strategy: str
    n: Size
    verifier: str | None = None
    budget: dict[str, float] | None = None
    seed: int = 0
    second: str | None = None
    """The second model of a strategy that asks one."""
    second_weights: str = ""
    tools: str | None = None

    @property
    def key(self) -> str:
        """A short name that equal specs share."""
        fields = {k: v for k, v in self.model_dump().items() if v or k not in ADDED}
        if self.sampling:
            fields["sampling"] = recorded(self.sampling)
        blob = json.dumps(fields, sort_keys=True).encode()
        return hashlib.sha256(blob).hexdigest()[:12]

    @property
    def label(self) -> str:
        """A readable name: task, strategy and size or budget."""
        size = " ".join(f"{k}={v:g}" for k, v in (self.budget or {}).items()) or f"n={self.n}"
        return f"{self.task} {self.strategy} {size}"


def recorded(sampling: Sampling) -> dict[str, Any]:
    """Return `sampling` as records hold it: in old ones labels, ends and thinking did not exist."""
    return {k: v for k, v in asdict(sampling).items() if v or k not in LATER}


class Spend(Frozen):
    """The cost of one problem, by role.

    `thinking_tokens` are the generated tokens that are thinking, `thinking_estimated` those of them that
    were estimated; old records have neither.
    """

    generated_tokens: FiniteFloat = 0
    prompt_tokens_fresh: FiniteFloat = 0
    prompt_tokens_cached: FiniteFloat = 0
    verifier_tokens: FiniteFloat = 0
    generator_flops: FiniteFloat = 0
    verifier_flops: FiniteFloat = 0
    seconds: FiniteFloat = 0
    thinking_tokens: FiniteFloat = 0
    thinking_estimated: FiniteFloat = 0

    @property
    def flops(self) -> float:
        """Generator and verifier together."""
        return self.generator_flops + self.verifier_flops


class Sample(Frozen):
    """One solution of a pool; `steps` are the scores of its steps, where the pool has them.

    A solution that was cut off is not `complete`: it has no answer and no score, and is wrong, whatever its
    text says. A score that is not finite is None, and step scores are left out if one of them is not finite.
    `outputs` are the parts of the text that a tool wrote. Old records have no text.
    """

    answer: Text | None
    correct: bool
    score: float | None
    tokens: Count
    text: Text = ""
    steps: tuple[float, ...] = ()
    complete: bool = True
    outputs: tuple[ToolOutput, ...] = ()

    def model_post_init(self, _: Any) -> None:
        """Correct the fields here: a validator a field would double the time of reading a pool."""
        if not self.complete:
            self._correct(answer=None, score=None, correct=False)
        if self.score is not None and not isfinite(self.score):
            self._correct(score=None)
        if self.steps and not all(map(isfinite, self.steps)):
            self._correct(steps=())

    def _correct(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)


class StoredRow(Frozen):
    """The stored result of one problem; `index` is its place in the split."""

    problem: Text
    index: Count
    error: Text | None = None

    @property
    def settled(self) -> bool:
        """True if the problem needs no further attempt."""
        return self.error is None


class Record(StoredRow):
    """One problem, attempted once.

    `prompt_tokens` and `prompt_flops` are the cost of the bare problem without a cache, and `tails_flops`
    the cost, over all samples after the first, of the part of it that the cache did not hold; old records
    have none. `estimated_tokens` are those that no server reported. `samples` are graded against `question` and `reference`.
    `share` is the share of right tries where there were several, whose mean cost `spend` is.
    """

    correct: bool
    answer: Text | None = None
    score: Rating = None
    spend: Spend = Spend()
    prompt_tokens: Count = 0
    prompt_flops: FiniteFloat = 0
    tails_flops: FiniteFloat | None = None
    estimated_tokens: Count = 0
    stopped: str = ""
    oracle: bool = False
    samples: tuple[Sample, ...] = ()
    question: Text = ""
    reference: Text = ""
    share: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None

    @property
    def settled(self) -> bool:
        """True unless it failed, or the run's total budget ended it: a later run may go on from there."""
        return self.error is None and self.stopped != Stopped.TOTAL


class Header(Frozen):
    """The spec of an experiment, its schema, and the environment it ran in."""

    schema_version: int = SCHEMA
    spec: Spec
    environment: dict[str, Any] = Field(default_factory=dict[str, Any])
