"""Oracle: the score of a perfect verifier."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Judgement, Problem, Score, Usage

Check = Callable[[Problem, str], bool]


@dataclass(frozen=True)
class Oracle:
    """Compare solutions with the reference answer; results with it are marked as oracle.

    It is the only verifier that sees the reference. `check(problem, solution)` returns True for a right
    solution. Best-of-N with it is pass@N.
    """

    check: Check
    traits = VerifierTraits(oracle=True, scores_steps=False)

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return no usage."""
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score a right solution 1, a wrong or unfinished one 0."""
        right = [c.complete and self.check(problem, c.answer_text) for c in candidates]
        return Judgement(tuple(Score(float(r)) for r in right))
