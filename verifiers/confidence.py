"""Confidence: the mean log-probability of the model's own tokens."""

from math import exp

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Completion, Finish, Problem
from reasoner.verifiers.common.rules import Free


@dataclass(frozen=True)
class Confidence(Free):
    """The geometric mean of the sampled tokens' probabilities (Wang et al., 2022, table 1).

    It equals the exponential of the mean log-probability, and one over the perplexity. With `tail`,
    only the last `tail` tokens count.
    """

    tail: PositiveInt | None = None
    traits = VerifierTraits(logprobs=True)

    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """Exponentiate the mean log-probability per token."""
        return likelihood(candidate) if self.tail is None else ending(candidate, self.tail)


def likelihood(candidate: Candidate) -> float:
    """Return the geometric mean probability of the sampled tokens; written text does not count.

    Raises:
        ConfigError: a piece was sampled without log-probabilities.
    """
    pieces = sampled(candidate)
    logprob = sum(c.logprob or 0.0 for c in pieces)
    return min(1.0, exp(logprob / max(1, sum(c.sampled_tokens for c in pieces))))


def ending(candidate: Candidate, tokens: int) -> float:
    """Return the geometric mean probability of the last `tokens` sampled tokens.

    Raises:
        ConfigError: a piece was sampled without log-probabilities.
    """
    last = [x for c in sampled(candidate) for x in c.logprobs][-tokens:]
    return min(1.0, exp(sum(last) / max(1, len(last))))


def sampled(candidate: Candidate) -> list[Completion]:
    """Return the pieces that a model sampled, without text that a strategy wrote.

    Raises:
        ConfigError: a piece was sampled without log-probabilities.
    """
    pieces = [
        c for c in candidate.completions if c.finish is not Finish.WRITTEN or c.logprob is not None
    ]
    if any(c.logprob is None for c in pieces):
        raise ConfigError(
            "verifier 'confidence' needs log-probabilities, which this backend does not return;"
            " use another verifier, or strategy 'majority', which needs none"
        )
    return pieces
