"""Best-first search: always continue the best-scored step in the whole tree."""

from collections.abc import Sequence
from dataclasses import dataclass as plain
from dataclasses import field as state
from heapq import heapify, heappop, heappush
from itertools import count

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import BudgetExhausted
from reasoner.run import Run
from reasoner.search.common.deduplication import Siblings
from reasoner.search.common.simulation import simulations
from reasoner.search.common.voting import by_score
from reasoner.trace import Node
from reasoner.traits import StrategyTraits

Entry = tuple[float, int, int, Node]


@dataclass(frozen=True)
class BestFirst:
    """Expand the best-scored open node into `branch` steps, `n` times (Koh et al., 2024).

    The search of arXiv 2407.01476, with a verifier's score as the value. `n` expansions sample
    `n * branch` steps: the steps of `n` solutions of `branch` steps each. Equal scores are explored
    deepest first. Up to `parallel` expansions run at once, without the results of one another. If no
    solution has finished when the expansions are spent, or when the budget covers only one more
    solution, the best open node is continued to its end.
    """

    n: PositiveInt = 64
    branch: PositiveInt = 4
    parallel: PositiveInt = 1
    traits = StrategyTraits(scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Expand `n` nodes, or as many as the budget allows."""
        frontier = Frontier(run, Siblings(run), self.branch)
        frontier.open([run.trace.root])
        while True:
            left = self.n - frontier.taken
            await simulations(left, self.parallel, frontier.take, frontier.expand)
            if frontier.ended:
                break
            await frontier.end()
        if not run.incumbent:
            raise BudgetExhausted("no step could be sampled")
        return run.incumbent


@plain(slots=True)
class Frontier:
    """The open nodes, best first, and the expanded ones."""

    run: Run
    siblings: Siblings
    branch: int
    heap: list[Entry] = state(default_factory=list[Entry])
    expanded: list[Entry] = state(default_factory=list[Entry])
    order: "count[int]" = state(default_factory=count)
    taken: int = 0
    running: int = 0
    ended: bool = False
    """True once a solution has finished, or a node was continued to its end."""

    def take(self) -> tuple[Node, int] | None:
        """Take the best open node and the number of steps to sample; None if it must wait."""
        branch = self.affordable()
        if not branch or not (self.heap or not self.running):
            return None
        self.taken += 1
        self.running += 1
        return self.pop(), branch

    def affordable(self) -> int:
        """Return the steps to sample at once; budget for a first solution is held back."""
        if self.ended:
            return self.branch
        reserved = 1 + self.running * self.branch
        return max(0, self.run.affordable(reserved + self.branch) - reserved)

    async def expand(self, taken: tuple[Node, int]) -> None:
        """Sample and score the next steps of a node, and open the new ones."""
        node, branch = taken
        try:
            await self.add(await self.run.expand([node], n=branch, step=True))
        finally:
            self.running -= 1

    async def end(self) -> None:
        """Continue the best open node to its end."""
        self.ended = True
        await self.add(await self.run.expand([self.pop()]))

    async def add(self, children: Sequence[Node]) -> None:
        firsts = await self.siblings.merge(children)
        new = [c for c, first in zip(children, firsts, strict=True) if c is first]
        self.open([c for c in new if not c.terminal])
        self.ended |= any(c.finished for c in children)
        self.run.offer_if_better(children)

    def open(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            heappush(self.heap, (-by_score(node), -node.depth, next(self.order), node))

    def pop(self) -> Node:
        """Pop the best open node; with none left, all nodes become open again."""
        if not self.heap:
            self.heap, self.expanded = self.expanded, []
            heapify(self.heap)
        self.expanded.append(heappop(self.heap))
        return self.expanded[-1][-1]
