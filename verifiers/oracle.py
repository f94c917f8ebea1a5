"""The oracle: what a perfect verifier would choose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Judgement, Problem, Score, Usage

Check = Callable[[Problem, str], bool]


@dataclass(frozen=True)
class Oracle:
    """Looks at the reference answer: the one exception, whose results are marked as oracle.

    `check` tells whether a solution of a problem is right. Best-of-N with it is pass@N.
    """

    check: Check
    traits = VerifierTraits(oracle=True, scores_steps=False)

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Nothing."""
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """1 for a right solution, 0 for a wrong or unfinished one."""
        right = [c.complete and self.check(problem, c.text) for c in candidates]
        return Judgement(tuple(Score(float(r)) for r in right))
