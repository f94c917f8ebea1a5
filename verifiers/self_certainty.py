"""Self-certainty: how far from uniform the model's choices were."""

from math import log
from statistics import fmean

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Finish, Problem
from reasoner.verifiers.common.rules import Free

LIKELIEST = 20
"""Tokens that a confidence is told against: as in DeepConf, and as many as most servers tell."""
LEAST = log(LIKELIEST)
"""The confidence, in nats, where all of them are equally likely and nothing else is."""
MOST = 20.0
"""Higher than any confidence: backends let no log-probability count for less than -20."""


@dataclass(frozen=True)
class SelfCertainty(Free):
    """The mean divergence of the model's choices from uniform (Kang et al., 2025, arXiv 2502.18581).

    The paper takes the Kullback-Leibler divergence of the uniform distribution from the model's over
    the whole vocabulary; engines tell the 20 likeliest tokens, so here it is over these. It is scaled
    linearly, from 0 where they are equally likely to 1 where one has all the probability.
    """

    traits = VerifierTraits(confidences=LIKELIEST)

    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """Scale the mean confidence of the sampled tokens."""
        sure = token_confidences(candidate, "self-certainty")
        return scaled(fmean(sure)) if sure else 0.0


def scaled(confidence: float) -> float:
    """A confidence in nats as a share of the highest."""
    return min(1.0, max(0.0, (confidence - LEAST) / (MOST - LEAST)))


def token_confidences(candidate: Candidate, verifier: str) -> tuple[float, ...]:
    """Those of every sampled token, in nats; what a strategy wrote itself has none.

    Raises:
        ConfigError: a piece was sampled without confidences; `verifier` is who needs them.
    """
    pieces = [c for c in candidate.completions if c.token_ids and c.finish is not Finish.WRITTEN]
    if not all(c.confidences for c in pieces):
        raise ConfigError(
            f"verifier {verifier!r} needs the confidence of every token, and the backend returned"
            " none; have the server return top log-probabilities, or use another verifier"
        )
    return candidate.confidences
