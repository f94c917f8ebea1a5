"""Self-certainty: the distance of the model's choices from uniform."""

from math import log
from statistics import fmean

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Finish, Problem
from reasoner.verifiers.common.rules import Free

LIKELIEST = 20
"""The number of likeliest tokens in a confidence: as in DeepConf, and the most that servers return."""
LEAST = log(LIKELIEST)
"""The confidence, in nats, if these tokens are equally likely and no other is possible."""
MOST = 20.0
"""An upper bound on confidences: backends clip log-probabilities at -20."""


@dataclass(frozen=True)
class SelfCertainty(Free):
    """The mean divergence of the model's choices from uniform (Kang et al., 2025, arXiv 2502.18581).

    The paper takes the Kullback-Leibler divergence of the uniform distribution from the model's over
    the whole vocabulary; engines return the 20 likeliest tokens, so it is over these. The score is
    scaled linearly, from 0 if they are equally likely to 1 if one has all the probability.
    """

    traits = VerifierTraits(confidences=LIKELIEST)

    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """Scale the mean confidence of the sampled tokens."""
        sure = token_confidences(candidate, "self-certainty")
        return scaled(fmean(sure)) if sure else 0.0


def scaled(confidence: float) -> float:
    """Scale a confidence in nats to [0, 1]."""
    return min(1.0, max(0.0, (confidence - LEAST) / (MOST - LEAST)))


def token_confidences(candidate: Candidate, verifier: str) -> tuple[float, ...]:
    """Return the confidence of each sampled token, in nats; text written by a strategy has none.

    Raises:
        ConfigError: a piece was sampled without confidences; the message names `verifier`.
    """
    pieces = [c for c in candidate.completions if c.token_ids and c.finish is not Finish.WRITTEN]
    if not all(c.confidences for c in pieces):
        raise ConfigError(
            f"verifier {verifier!r} needs the confidence of every token, and the backend returned"
            " none; have the server return top log-probabilities, or use another verifier"
        )
    return candidate.confidences
