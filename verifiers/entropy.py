"""Entropy: the model's uncertainty, token by token."""

from math import log
from statistics import fmean

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Finish, Problem
from reasoner.verifiers.common.rules import Free
from reasoner.verifiers.self_certainty import LIKELIEST


@dataclass(frozen=True)
class Entropy(Free):
    """One minus the mean entropy of the model's choices, as a share of the highest.

    The mean entropy of the softmax (Fomicheva et al., 2020, arXiv 2005.10608). Engines return the 20
    likeliest tokens, so the entropy is over these, their probabilities scaled to add up to 1: the score
    is 0 if they are equally likely, 1 if one has all the probability.
    """

    traits = VerifierTraits(confidences=LIKELIEST)

    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """Average the entropies of the sampled tokens."""
        entropies = token_entropies(candidate)
        return min(1.0, max(0.0, 1 - fmean(entropies) / log(LIKELIEST))) if entropies else 0.0


def token_entropies(candidate: Candidate) -> tuple[float, ...]:
    """Return the entropy of each sampled token, in nats; text written by a strategy has none.

    Raises:
        ConfigError: a piece was sampled without entropies.
    """
    pieces = [c for c in candidate.completions if c.token_ids and c.finish is not Finish.WRITTEN]
    if not all(c.entropies for c in pieces):
        raise ConfigError(
            "verifier 'entropy' needs the entropy of every token, and the backend returned none;"
            " have the server return top log-probabilities, or use another verifier"
        )
    return candidate.entropies
