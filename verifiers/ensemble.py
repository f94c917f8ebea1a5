"""Ensemble: several verifiers combined into one score."""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum, pow, prod
from operator import mul
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat
from pydantic.dataclasses import dataclass

from reasoner.bill import billed
from reasoner.concurrency import gather
from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits, verifier_traits
from reasoner.types import Candidate, Judgement, Problem, Score, Usage
from reasoner.verifiers.common.composite import Member, Nested


@dataclass(frozen=True)
class Ensemble(Nested):
    """Score with all `members` at once and combine their scores.

    `combine` takes the mean, the product or the lowest of a candidate's scores. `weights`, one per
    member, weigh the mean, or are the exponents of the product. Scores of different verifiers have
    different meanings: wrap the members in `Calibrated` to make them probabilities. The members'
    usage adds up.
    """

    members: Annotated[tuple[Member, ...], Field(min_length=1)] = ("verdict", "confidence")
    combine: Literal["mean", "product", "min"] = "mean"
    weights: tuple[NonNegativeFloat, ...] = ()

    def __post_init__(self) -> None:
        """Reject an unknown name or a bad weight before any compute is spent."""
        count = len(self.inner)
        if self.weights and (len(self.weights) != count or not any(self.weights)):
            raise ConfigError(
                f"{len(self.weights)} weights for {count} members, or all of them zero;"
                " give each member one"
            )
        if self.weights and self.combine == "min":
            raise ConfigError("the lowest score has no weights; use combine='mean' or 'product'")

    def named(self) -> tuple[Member, ...]:
        """The members, by name or object."""
        return self.members

    @property
    def traits(self) -> VerifierTraits:
        """The members' together; the highest score is where every member gives its highest."""
        highest = self.combined([verifier_traits(v).ceiling for v in self.inner])
        return replace(super().traits, ceiling=highest)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score with all members at once."""
        judgements = await gather(billed(v.score(problem, candidates)) for v in self.inner)
        each = zip(*(j.scores for j in judgements), strict=True)
        scores = tuple(Score(self.combined([s.value for s in values])) for values in each)
        usage = sum((j.usage for j in judgements), Usage())
        return Judgement(scores, usage, sum(j.malformed for j in judgements))

    def combined(self, values: Sequence[float]) -> float:
        """Combine the members' scores, in their order, into one."""
        weights = self.weights or (1.0,) * len(values)
        if self.combine == "min":
            return min(values)
        if self.combine == "product":
            return prod(map(pow, values, weights))
        return min(1.0, fsum(map(mul, values, weights)) / fsum(weights))
