"""The model's own verdicts, given as it ends each step."""

from collections.abc import Callable, Sequence
from math import exp, log, prod
from statistics import fmean
from typing import Literal

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Judgement, Problem, Score, Usage

Aggregate = Callable[[Sequence[float]], float]
CONFIDENT = log(2)
"""Log-odds at which `doubts` levels off: two to one.

Which of many candidates has the highest verdict says little about which is right, but much about
where the verifier errs (Gao et al., 2022, arXiv 2210.10760). Without a limit, best-of-64 picked the
one oddly wrong candidate that the verifier took for the surest, and did worse than best-of-16.
"""


def doubts(verdicts: Sequence[float]) -> float:
    """The latest verdict, and in log-odds whatever speaks against a step before: errors stay.

    It levels off at `CONFIDENT`: candidates that nothing speaks against are taken alike.
    """
    *before, own = (log(v / (1 - v)) for v in (min(max(v, 1e-9), 1 - 1e-9) for v in verdicts))
    return sure(min(own + sum(min(x, 0.0) for x in before), CONFIDENT))


def sure(odds: float) -> float:
    """The probability with these log-odds."""
    return 1 / (1 + exp(min(-odds, 500)))


def last(verdicts: Sequence[float]) -> float:
    """The verdict on the latest step."""
    return verdicts[-1]


AGGREGATES: dict[str, Aggregate] = {
    "doubts": doubts, "last": last, "min": min, "prod": prod, "mean": fmean,
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Scores from verdict tokens: sampled with the step, so they cost nothing more.

    A process score, aggregated over steps by `aggregate`. The embedded GPT is trained for `doubts`;
    other models' verdicts may be values of the prefix (`last`) or probabilities that the step is
    right (`min` and `prod`, as in Lightman et al., 2023).
    """

    aggregate: Literal["doubts", "last", "min", "prod", "mean"] = "doubts"

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Nothing."""
        return Usage()

    @property
    def traits(self) -> VerifierTraits:
        """It reads verdict tokens; the highest score is where `doubts` levels off, else 1."""
        ceiling = sure(CONFIDENT) if self.aggregate == "doubts" else 1.0
        return VerifierTraits(verdicts=True, ceiling=ceiling)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Aggregate each candidate's verdicts; a piece cut off before its first has 0."""
        if not any(c.verdicts for c in candidates) and any(c.complete for c in candidates):
            raise ConfigError(
                "verifier 'verdict' found no verdicts: this model has no verdict tokens;"
                " use 'confidence', or the embedded model"
            )
        return Judgement(tuple(self._judge(c.verdicts) for c in candidates))

    def _judge(self, verdicts: tuple[float, ...]) -> Score:
        value = AGGREGATES[self.aggregate](verdicts) if verdicts else 0.0
        return Score(min(1.0, max(0.0, value)), verdicts)
