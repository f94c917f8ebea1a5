"""Deduplication of siblings: copies of a text are sampled in one request and scored once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted
from reasoner.run import Run
from reasoner.trace import Node
from reasoner.types import NodeId


@dataclass(slots=True)
class Siblings:
    """The first copy of each text under each parent, for one search."""

    run: Run
    firsts: dict[tuple[NodeId, str], Node] = field(default_factory=dict[tuple[NodeId, str], Node])

    async def step(self, wanted: Mapping[Node, int]) -> dict[Node, list[Node]]:
        """Sample and score the wanted number of steps after each node; return first copies.

        There are fewer steps near the end of the budget.

        Raises:
            BudgetExhausted: the budget allows no step at all.
        """
        sampled = await gather([self._sample(node, n) for node, n in wanted.items()])
        if not any(sampled):
            raise BudgetExhausted("no budget is left to expand a node")
        firsts = iter(await self.merge(list(chain.from_iterable(sampled))))
        return {
            p: list(islice(firsts, len(steps))) for p, steps in zip(wanted, sampled, strict=True)
        }

    async def merge(self, children: Sequence[Node]) -> list[Node]:
        """Score each text once; return the first copy of each child, in order."""
        firsts = [self._first(child) for child in children]
        await self.run.score(list(dict.fromkeys(firsts)))
        for child, first in zip(children, firsts, strict=True):
            child.score, child.step_scores = first.score, first.step_scores
        return firsts

    async def _sample(self, node: Node, n: int) -> list[Node]:
        try:
            return await self.run.expand([node], n=n, step=True)
        except BudgetExhausted:  # Other nodes may still have samples.
            return []

    def _first(self, node: Node) -> Node:
        parent, piece = self.run.trace.parent(node), node.completion
        return self.firsts.setdefault((parent.id, piece.text), node) if parent and piece else node
