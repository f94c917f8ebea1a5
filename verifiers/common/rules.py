"""Verifiers that cost nothing and judge each candidate by itself."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from reasoner.types import Candidate, Judgement, Problem, Score, Usage

UNDECIDED = 0.5
"""The score of an unfinished solution that may still become right, so that a step search can go on."""


class Free(ABC):
    """A verifier that needs no model and no other candidate; subclasses only define `judge`."""

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return no usage."""
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Judge the candidates one by one."""
        return Judgement(tuple(Score(self.judge(problem, c)) for c in candidates))

    @abstractmethod
    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """Return the score of `candidate`, in [0, 1]."""


class RuleVerifier(Free):
    """A verifier that decides right or wrong from the text alone.

    A finished solution scores 1 if it satisfies the rule and 0 if it breaks it. An unfinished solution
    scores `UNDECIDED`, or 0 if no continuation can satisfy the rule.
    """

    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """Apply the rule."""
        if candidate.complete:
            return float(self.holds(problem, candidate.answer_text))
        return UNDECIDED if self.possible(problem, candidate.answer_text) else 0.0

    @abstractmethod
    def holds(self, problem: Problem, solution: str) -> bool:
        """Return whether a finished solution satisfies the rule."""

    def possible(self, problem: Problem, start: str) -> bool:
        """Return whether a continuation of `start` may satisfy the rule; True where this is unknown."""
        return True
