"""The solutions of one problem as a tree of steps, with the value of every prefix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from reasoner.benchmarks.export.solved import SolvedProblem

Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepTree:
    """Counts of finished solutions, and of right ones, through every prefix of steps.

    The value of a prefix is the share of right ones (Math-Shepherd's soft estimation, with the run's own
    solutions as completions). It is unbiased for solutions drawn independently; a search that prunes
    by a verifier shifts it.
    """

    separator: str
    through: dict[Steps, int]
    right: dict[Steps, int]

    @classmethod
    def of(cls, problem: SolvedProblem) -> StepTree:
        """Return the tree of a problem's solutions."""
        through, right = defaultdict[Steps, int](int), defaultdict[Steps, int](int)
        for solution in problem.solutions:
            steps = split(solution.text, problem.separator)
            for end in range(len(steps) + 1):
                through[steps[:end]] += 1
                right[steps[:end]] += solution.right
        return cls(problem.separator, dict(through), dict(right))

    def value(self, prefix: Steps) -> float:
        """Return the share of right solutions among those through `prefix`."""
        return self.right[prefix] / self.through[prefix]

    def siblings(self, prefix: Steps) -> list[str]:
        """Return the other steps that solutions took at the place of the last one, in order of arrival."""
        same = (p for p in self.through if len(p) == len(prefix) and p[:-1] == prefix[:-1])
        return [p[-1] for p in same if p != prefix]

    def text(self, steps: Sequence[str]) -> str:
        """Return steps as the text that a model continues, with a separator after each."""
        return "".join(step + self.separator for step in steps)


def split(text: str, separator: str) -> Steps:
    """Return the steps of a solution, without separators; an empty last one is none."""
    return tuple(text.removesuffix(separator).split(separator))
