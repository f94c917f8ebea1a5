"""Siblings of the same text taken for one node: sampled in one request, scored once."""

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
    """The first copy of every text under every parent, for one search."""

    run: Run
    firsts: dict[tuple[NodeId, str], Node] = field(default_factory=dict[tuple[NodeId, str], Node])

    async def step(self, wanted: Mapping[Node, int]) -> dict[Node, list[Node]]:
        """Next steps, as many as wanted after each node, scored, each as its first copy.

        They are fewer as the budget closes.
        """
        drawn = await gather([self._sample(node, n) for node, n in wanted.items()])
        if not any(drawn):
            raise BudgetExhausted("no budget is left to expand a node")
        firsts = iter(await self.merge(list(chain.from_iterable(drawn))))
        return {p: list(islice(firsts, len(steps))) for p, steps in zip(wanted, drawn, strict=True)}

    async def merge(self, children: Sequence[Node]) -> list[Node]:
        """Score every text once; tell the first copy of each child, in order."""
        firsts = [self._first(child) for child in children]
        await self.run.score(list(dict.fromkeys(firsts)))
        for child, first in zip(children, firsts, strict=True):
            child.score, child.step_scores = first.score, first.step_scores
        return firsts

    async def _sample(self, node: Node, n: int) -> list[Node]:
        try:
            return await self.run.expand([node], n=n, step=True)
        except BudgetExhausted:  # The others may still have got theirs.
            return []

    def _first(self, node: Node) -> Node:
        parent, piece = self.run.trace.parent(node), node.completion
        return self.firsts.setdefault((parent.id, piece.text), node) if parent and piece else node
