"""A shared budget that goes, batch by batch, to the problems where it is likeliest to help."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.running_vote import Poll
from reasoner.search.common.standing import Standing, by_scores, by_votes
from reasoner.search.common.voting import vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits
from reasoner.turns import next_turn


@dataclass(frozen=True)
class BudgetPool:
    """Sample in batches until a problem is resolved; before each batch, let more promising problems go first.

    Test-time compute as a bandit over problems (Zuo and Zhu, 2025, arXiv 2506.12721). Every problem of a
    run gets a first batch. Of those that are not resolved, the one with the highest upper bound on the
    chance of being solved with one more batch gets the next, until the run's total budget is spent. A
    problem is resolved by a score at the verifier's ceiling or, by votes, once the leading answer is
    likelier than the runner-up with probability above `threshold`.
    """

    n: PositiveInt = 64
    batch: PositiveInt = 1
    choose: Literal["score", "vote"] = "score"
    threshold: Annotated[float, Field(ge=0.5, lt=1)] = 0.9
    traits = StrategyTraits(verifier="preferred", stops_early=True)

    async def search(self, run: Run) -> Node:
        """Sample batches, each in its turn, up to `n` samples."""
        by_score = self.choose == "score" and run.verified
        samples = ScoredSamples(run) if by_score else PolledSamples(run, self.threshold)
        while (standing := samples.standing).size < self.n and not standing.resolved:
            if standing.size:
                await next_turn(standing.bound(self.batch))
            size = min(self.batch, self.n - standing.size)
            await samples.add(await run.expand([run.trace.root], n=size))
        return samples.chosen


class ScoredSamples:
    """The samples of a problem, of which the best-scored one is chosen."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._size, self._total, self._best = 0, 0.0, 0.0

    @property
    def standing(self) -> Standing:
        """The standing of the problem by their scores."""
        return by_scores(self._size, self._total, self._best, self._run.ceiling)

    @property
    def chosen(self) -> Node:
        """The best one so far."""
        return self._run.incumbent or self._run.trace.root

    async def add(self, nodes: Sequence[Node]) -> None:
        """Score further samples."""
        await self._run.score(nodes)
        self._run.offer_if_better(nodes)
        scores = [node.score or 0.0 for node in nodes if node.finished]
        self._size += len(nodes)
        self._total += sum(scores)
        self._best = max(self._best, *scores, 0.0)


class PolledSamples:
    """The samples of a problem, which vote on its answer."""

    def __init__(self, run: Run, threshold: float) -> None:
        self._poll, self._threshold = Poll(run), threshold
        run.choose_final_by(partial(vote, run))

    @property
    def standing(self) -> Standing:
        """The standing of the problem by their votes."""
        first, second = map(int, self._poll.lead)
        return by_votes(self._poll.size, first, second, self._threshold)

    @property
    def chosen(self) -> Node:
        """A solution with the leading answer."""
        return self._poll.chosen()

    async def add(self, nodes: Sequence[Node]) -> None:
        """Count the votes of further samples."""
        for node in nodes:
            self._poll.add(node)
        self._poll.run.offer(self._poll.chosen())
