"""Reward-guided drafts: a small model writes the steps, a large one those that score low."""

from dataclasses import dataclass as plain
from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import BudgetExhausted
from reasoner.run import Run
from reasoner.trace import Node, Trace
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class Draft:
    """Have a second, small model draft each step; the run's own writes anew what scores low.

    Reward-guided speculative decoding (RSD; Liao et al., 2025, arXiv 2501.19324). A draft that scores
    at least `threshold` is accepted, unless it was cut off. Steps of the run's own model are not
    scored. Without a second model, the run's own writes the drafts too. If the budget covers only
    one more solution, the run's own model continues to the end. `n` changes nothing; it exists
    because every strategy has one.
    """

    n: PositiveInt = 1
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.7
    traits = StrategyTraits(
        stops_early=True, scores_steps=True, asks_second=True, scores_second=True
    )

    async def search(self, run: Run) -> Node:
        """Draft, score, and accept or rewrite one step after another until the solution ends."""
        solution = DraftedSolution(run, self.threshold)
        node = run.trace.root
        while not node.terminal:
            node = run.offer(await solution.accepted(node) or await solution.rewritten(node))
        return node


@plain(slots=True)
class DraftedSolution:
    """A solution that two models write."""

    run: Run
    threshold: float

    @property
    def ample(self) -> bool:
        """True if the budget holds more than the rest of the solution."""
        return self.run.affordable(2) == 2

    async def accepted(self, node: Node) -> Node | None:
        """Return the second model's next step; None if it is refused, or cannot be paid or scored."""
        if not self.ample:
            return None
        try:
            [draft] = await self.run.expand([node], step=True, second=True)
            await self.run.score([draft])
        except BudgetExhausted:
            return None
        cut = draft.terminal and not draft.finished
        return None if cut or (draft.score or 0.0) < self.threshold else draft

    async def rewritten(self, node: Node) -> Node:
        """Return the next step of the run's own model, or the rest if the budget holds no more."""
        [step] = await self.run.expand([node], step=self.ample)
        return step


def large_share(trace: Trace, node: Node) -> float:
    """Return the share of the steps up to `node` that the run's own model wrote: those without a score."""
    steps = trace.path(node)[1:]
    return sum(step.score is None for step in steps) / max(1, len(steps))
