"""Verifiers that cost nothing and judge each candidate by itself."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from reasoner.types import Candidate, Judgement, Problem, Score, Usage

UNDECIDED = 0.5
"""For a solution under way that may still turn out right: a step search must be able to go on."""


class Free(ABC):
    """Needs no model and no other candidate: `judge` is all there is to write."""

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Nothing."""
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Judge one candidate after another."""
        return Judgement(tuple(Score(self.judge(problem, c)) for c in candidates))

    @abstractmethod
    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """The score of `candidate`, in [0, 1]."""


class Rule(Free):
    """Right or wrong by the text alone.

    1 for a finished solution that keeps the rule and 0 for one that breaks it. A solution under way
    has `UNDECIDED`, or 0 if no end could save it.
    """

    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """Apply the rule."""
        if candidate.complete:
            return float(self.holds(problem, candidate.text))
        return UNDECIDED if self.possible(problem, candidate.text) else 0.0

    @abstractmethod
    def holds(self, problem: Problem, solution: str) -> bool:
        """Whether a finished solution keeps the rule."""

    def possible(self, problem: Problem, start: str) -> bool:
        """Whether a solution that starts so may still keep it; where that is not known, it may."""
        return True
