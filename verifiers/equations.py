"""Equations: the arithmetic that a solution states, checked line by line."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.types import Candidate, Judgement, Problem, Score
from reasoner.verifiers.common.equations import Equation, stated_equations
from reasoner.verifiers.common.rules import UNDECIDED, Free
from reasoner.verifiers.reward.encoding import cut


@dataclass(frozen=True)
class Equations(Free):
    """`doubt` to the power of the number of equations that do not hold, such as `48 * 0.75 = 34`.

    Each step, up to a `separator`, is scored in the same way. A text without an equation scores 0.5. Only
    arithmetic is checked: a solution that adds where it should multiply, and adds correctly, scores 1. The
    calculator of Cobbe et al., 2021, arXiv 2110.14168, which corrects a result while it is sampled, as a
    verifier.
    """

    doubt: Annotated[float, Field(ge=0, lt=1)] = 0.1
    separator: Annotated[str, Field(min_length=1)] = "\n"

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Check every line of every candidate."""
        return Judgement(tuple(map(self._score, candidates)))

    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """Check every line of a candidate."""
        return self._score(candidate).value

    def _score(self, candidate: Candidate) -> Score:
        steps = [_equations(step) for step in self._steps(candidate)]
        value = self._doubted([equation for step in steps for equation in step])
        return Score(value, tuple(map(self._doubted, steps)))

    def _steps(self, candidate: Candidate) -> list[str]:
        """Return the steps that have ended: a result that is cut short would be false."""
        steps = cut(candidate.text, self.separator)
        ended = candidate.complete or candidate.text.endswith(self.separator)
        return steps if ended else steps[:-1]

    def _doubted(self, equations: Sequence[Equation]) -> float:
        if not equations:
            return UNDECIDED
        return self.doubt ** sum(not equation.holds for equation in equations)


def _equations(step: str) -> list[Equation]:
    return [equation for line in step.splitlines() for equation in stated_equations(line)]
