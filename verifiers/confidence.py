"""The model's own confidence."""

from collections.abc import Sequence
from math import exp
from typing import ClassVar

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.types import Candidate, Judgement, Problem, Score, Usage


@dataclass(frozen=True)
class Confidence:
    """The geometric mean of the sampled tokens' probabilities (Wang et al., 2022, table 1)."""

    logprobs: ClassVar[bool] = True

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Nothing: the log-probabilities come with the samples."""
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Exponentiate each candidate's mean log-probability per token."""
        return Judgement(tuple(Score(likelihood(c)) for c in candidates))


def likelihood(candidate: Candidate) -> float:
    """The mean probability of a token of `candidate`."""
    logprobs = [c.logprob for c in candidate.completions if c.logprob is not None]
    if len(logprobs) < len(candidate.completions):
        raise ConfigError(
            "verifier 'confidence' needs log-probabilities, which this backend does not return;"
            " use another verifier, or strategy 'majority', which needs none"
        )
    return min(1.0, exp(sum(logprobs) / max(1, candidate.tokens)))
