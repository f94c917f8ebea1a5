"""Rejection sampling a step at a time: draw until a step is good enough, then go on from it."""

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
    """Draw `batch` next steps until one is good enough, go on from it, and come back when in doubt.

    Cascade reward sampling (CARDS; Li et al., 2024, arXiv 2406.16306) with a threshold that falls by
    itself. A step is worth its score, the root the highest score that the verifier gives, and every
    draw from them multiplies that by `threshold`; the next draw is where most is to be had. So a step
    is accepted at once if it scores `threshold` of what there could be, after one more draw its
    square, and so on; and one whose next steps are bad yields to the best of those rejected, or to
    another draw above it. Once as many steps are drawn as `n` solutions have that are as deep as the
    deepest, the best of the deepest is accepted. It ends when a solution is worth most, or is that.
    Should the budget hold but one solution before any has finished, the best step is continued to
    the end.
    """

    n: PositiveInt = 64
    batch: PositiveInt = 2
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.9
    traits = StrategyTraits(stops_early=True, scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Draw from what is worth most, until that is a solution."""
        steps = Steps(run, Siblings(run), [run.trace.root], self.threshold)
        while not (node := steps.next(self.n)).terminal:
            if size := steps.affordable(min(self.batch, self.n)):
                await steps.draw(node, size)
            else:
                await steps.end()
        if not steps.finished:
            await steps.end()
        return run.offer_if_better(steps.known)


@plain(slots=True)
class Steps:
    """The distinct steps drawn so far, accepted or not."""

    run: Run
    siblings: Siblings
    known: list[Node]
    threshold: float
    drawn: int = 0
    draws: Counter[Node] = state(default_factory=Counter[Node])

    @property
    def finished(self) -> bool:
        """Whether one of them ends a solution."""
        return any(node.finished for node in self.known)

    def next(self, n: int) -> Node:
        """What is worth most; once `n` solutions so deep are spent, the best of the deepest."""
        deepest = max(self.known, key=lambda node: (node.depth, by_score(node)))
        spent = self.drawn >= n * max(1, deepest.depth)
        return deepest if spent else max(self.known, key=self.worth)

    def worth(self, node: Node) -> tuple[float, int]:
        """The score, less for every draw; of equals the deepest comes first."""
        score = self.run.ceiling if node.score is None else node.score
        if node.terminal and not node.finished:
            score = 0.0
        return score * self.threshold ** self.draws[node], node.depth

    def affordable(self, size: int) -> int:
        """Steps to draw at once: until a solution has finished, the budget for one is kept."""
        return size if self.finished else max(0, self.run.affordable(1 + size) - 1)

    async def draw(self, node: Node, size: int) -> None:
        """Sample `size` next steps of a node."""
        self.draws[node] += 1
        await self.add(await self.run.expand([node], n=size, step=True))

    async def end(self) -> None:
        """Continue the best step, of equals the latest, to the end."""
        unended = [node for node in reversed(self.known) if not node.terminal]
        await self.add(await self.run.expand([best(unended)]))

    async def add(self, drawn: Sequence[Node]) -> None:
        """Score what was drawn; the first of every text is known from now on."""
        self.drawn += len(drawn)
        firsts = dict.fromkeys(await self.siblings.merge(drawn))
        self.known += [s for s in firsts if s not in self.known]
        self.run.offer_if_better(drawn)
