"""Agreement between answers: the majority as a verifier."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from math import fsum
from typing import Self

from pydantic.dataclasses import dataclass

from reasoner.run import Extract, last_line
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Judgement, Problem, Score
from reasoner.verifiers.common.composite import Member, Nested


@dataclass(frozen=True)
class Agreement(Nested):
    """The share of the batch's answers that equal the candidate's (Wang et al., 2022).

    With `by`, another verifier, each answer counts by its score (Li et al., 2022). The best-scored
    candidate is then that of the majority or the weighted vote. `extract` returns the answer in a
    solution's text; by default it is the task's, or else the last line. A candidate that is unfinished or states no answer has
    no vote and scores 0.

    A candidate alone in its batch has all votes, so score all candidates to be compared at once.
    """

    extract: Extract | None = None
    by: Member | None = None

    def __post_init__(self) -> None:
        """Reject an unknown name before any compute is spent."""
        _ = self.inner

    @property
    def traits(self) -> VerifierTraits:
        """A vote compares the whole batch, and an unfinished solution has none."""
        return replace(super().traits, comparative=True, scores_steps=False, ceiling=1.0)

    def named(self) -> tuple[Member, ...]:
        """The weighting verifier, if there is one."""
        return () if self.by is None else (self.by,)

    def reading(self, extract: Extract) -> Self:
        """Return a copy that finds answers by `extract`, unless it has a rule of its own."""
        informed = super().reading(extract)
        if self.extract is None:
            vars(informed)["extract"] = extract
        return informed

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Hold the vote and score each candidate with its answer's share."""
        extract = self.extract or last_line
        answers = [extract(c.answer_text) if c.complete else None for c in candidates]
        judgement = await self._weights(problem, candidates)
        weights = [s.value for s in judgement.scores]
        if not any(w for a, w in zip(answers, weights, strict=True) if a is not None):
            weights = [1.0] * len(answers)  # All weights are zero, so all answers count the same.
        return replace(judgement, scores=tuple(map(Score, shares(answers, weights))))

    async def _weights(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        if not self.inner:
            return Judgement((Score(1.0),) * len(candidates))
        return await self.inner[0].score(problem, candidates)


def shares(answers: Sequence[str | None], weights: Sequence[float]) -> list[float]:
    """Return each answer's share of all votes; 0 for None."""
    votes = defaultdict[str, list[float]](list)
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            votes[answer].append(weight)
    sums = {answer: fsum(each) for answer, each in votes.items()}
    total = fsum(sums.values())
    return [0.0 if a is None else sums[a] / total for a in answers]
