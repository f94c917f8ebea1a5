"""Verdicts that the model itself gives as it ends each step."""

from collections.abc import Sequence
from typing import Literal

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Judgement, Problem, Score, Usage
from reasoner.verifiers.common.aggregation import AGGREGATES, CONFIDENT
from reasoner.verifiers.common.probability import sigmoid


@dataclass(frozen=True)
class Verdict:
    """Scores from verdict tokens, which are sampled with each step and so cost nothing more.

    A process score, aggregated over steps by `aggregate`. The embedded GPT is trained for `doubts`;
    other models' verdicts may be values of the prefix (`last`) or probabilities that the step is
    right (`min` and `prod`, as in Lightman et al., 2023).
    """

    aggregate: Literal["doubts", "last", "min", "prod", "mean"] = "doubts"

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return no usage: verdicts are part of the solution."""
        return Usage()

    @property
    def traits(self) -> VerifierTraits:
        """It reads verdict tokens; the highest score is where `doubts` levels off, else 1."""
        ceiling = sigmoid(CONFIDENT) if self.aggregate == "doubts" else 1.0
        return VerifierTraits(verdicts=True, ceiling=ceiling)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Aggregate each candidate's verdicts; a candidate cut off before its first scores 0.

        Raises:
            ConfigError: a finished candidate has no verdicts, so the model has no verdict tokens.
        """
        if not any(c.verdicts for c in candidates) and any(c.complete for c in candidates):
            raise ConfigError(
                "verifier 'verdict' found no verdicts: this model has no verdict tokens;"
                " use 'confidence', or the embedded model"
            )
        return Judgement(tuple(self._judge(c.verdicts) for c in candidates))

    def _judge(self, verdicts: tuple[float, ...]) -> Score:
        value = AGGREGATES[self.aggregate](verdicts) if verdicts else 0.0
        return Score(min(1.0, max(0.0, value)), verdicts)
