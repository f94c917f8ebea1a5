"""Stepwise rejection sampling: sample until a step is good enough, then continue from it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass as plain
from dataclasses import field as state
from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best
from reasoner.search.common.deduplication import Siblings
from reasoner.search.common.voting import by_score
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class StepRejection:
    """Sample `batch` next steps until one is good enough, continue from it, return when in doubt.

    Cascade reward sampling (CARDS; Li et al., 2024, arXiv 2406.16306) with a threshold that falls by
    itself. A step is worth its score, the root the verifier's highest score, and every draw from a
    node multiplies its worth by `threshold`; the next draw is from the node worth most. So a step is
    accepted at once if it scores `threshold` times the highest score, after one more draw `threshold`
    squared times, and so on. A step whose next steps are bad yields to the best rejected step, or to
    another draw above it. After as many draws as `n` solutions of the greatest depth so far have
    steps, the best of the deepest nodes is accepted. The search ends when the accepted node is a
    solution. If the budget covers only one more solution before any has finished, the best step is
    continued to its end.
    """

    n: PositiveInt = 64
    batch: PositiveInt = 2
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.9
    traits = StrategyTraits(stops_early=True, scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Sample from the node worth most until that node is a solution."""
        steps = SampledSteps(run, Siblings(run), [run.trace.root], self.threshold)
        while not (node := steps.next(self.n)).terminal:
            if size := steps.affordable(min(self.batch, self.n)):
                await steps.draw(node, size)
            else:
                await steps.end()
        if not steps.finished:
            await steps.end()
        return run.offer_if_better(steps.known)


@plain(slots=True)
class SampledSteps:
    """The distinct steps sampled so far, accepted or not."""

    run: Run
    siblings: Siblings
    known: list[Node]
    threshold: float
    sampled: int = 0
    draws: Counter[Node] = state(default_factory=Counter[Node])

    @property
    def finished(self) -> bool:
        """True if one of the steps ends a solution."""
        return any(node.finished for node in self.known)

    def next(self, n: int) -> Node:
        """Return the node worth most, or the best of the deepest once the draws are spent."""
        deepest = max(self.known, key=lambda node: (node.depth, by_score(node)))
        spent = self.sampled >= n * max(1, deepest.depth)
        return deepest if spent else max(self.known, key=self.worth)

    def worth(self, node: Node) -> tuple[float, int]:
        """Return the score, discounted for every draw, then the depth to break ties."""
        score = self.run.ceiling if node.score is None else node.score
        if node.terminal and not node.finished:
            score = 0.0
        return score * self.threshold ** self.draws[node], node.depth

    def affordable(self, size: int) -> int:
        """Return the steps to sample at once; budget for a first solution is held back."""
        return size if self.finished else max(0, self.run.affordable(1 + size) - 1)

    async def draw(self, node: Node, size: int) -> None:
        """Sample `size` next steps of a node."""
        self.draws[node] += 1
        await self.add(await self.run.expand([node], n=size, step=True))

    async def end(self) -> None:
        """Continue the best step to its end; the latest wins a tie."""
        unended = [node for node in reversed(self.known) if not node.terminal]
        await self.add(await self.run.expand([best(unended)]))

    async def add(self, nodes: Sequence[Node]) -> None:
        """Score new nodes and store the first copy of each text."""
        self.sampled += len(nodes)
        firsts = dict.fromkeys(await self.siblings.merge(nodes))
        self.known += [s for s in firsts if s not in self.known]
        self.run.offer_if_better(nodes)
