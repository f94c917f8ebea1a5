"""Monte Carlo tree search over reasoning steps."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass as plain
from dataclasses import field as state
from functools import partial
from math import log, sqrt
from typing import Literal

from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import BudgetExhausted
from reasoner.run import Run, best
from reasoner.search.common import by_score, distinct, vote
from reasoner.trace import Node
from reasoner.types import NodeId


@dataclass(frozen=True)
class MCTS:
    """UCT (Kocsis & Szepesvári, 2006) with the verifier's score as the value of a leaf.

    A node that is visited often gets more children (progressive widening, Coulom, 2007). Up to
    `parallel` of the `n` simulations run at once, kept apart by virtual loss (Chaslot et al.,
    2008): a visit counts when it starts, its value when it ends. With `rollout`, the best new step
    is followed to the end, and the score of that solution is what goes up the tree. `choose` takes
    the best-scored solution or the verifier-weighted vote.
    """

    n: PositiveInt = 64
    branch: PositiveInt = 4
    exploration: NonNegativeFloat = 0.5
    parallel: PositiveInt = 8
    rollout: bool = True
    choose: Literal["best", "vote"] = "best"

    async def search(self, run: Run) -> Node:
        """Simulate until `n` or the budget is spent."""
        if self.choose == "vote":
            run.decide = partial(vote, run, weight=by_score)
        tree = Tree(run, self.exploration, self.branch)
        running = set[asyncio.Task[None]]()
        started = 0
        try:
            while True:
                while len(running) < self.parallel and started < self.n and (path := tree.select()):
                    running.add(asyncio.create_task(self.simulate(tree, path)))
                    started += 1
                if not running:
                    break
                ended, running = await asyncio.wait(running, return_when="FIRST_COMPLETED")
                for task in ended:
                    task.result()
        finally:
            await cancel(running)
        if not run.incumbent:
            raise BudgetExhausted("no step could be sampled")
        return run.decide(run.trace.finished or [run.incumbent])

    async def simulate(self, tree: "Tree", path: list[Node]) -> None:
        """Expand the leaf that ends `path` and pass the best score found up."""
        run, leaf = tree.run, path[-1]
        try:
            sampled = await run.expand([leaf], n=self.branch, step=True)
            children = distinct(run, [*tree.kept.get(leaf.id, []), *sampled])
            await run.score(children)
            chosen = run.offer(best([*children, *filter(None, [run.incumbent])]))
            tree.grow(leaf, children)
            reached = best(children)
            if self.rollout and not reached.terminal:
                path, [reached] = [*path, reached], await run.expand([reached])
                await run.score([reached])
                path[-1].visits += 1
                run.offer(best([reached, chosen]))
        except BudgetExhausted:
            tree.spent = True
            return
        tree.backup(leaf, path, reached.score or 0.0)


@plain(slots=True)
class Tree:
    """The statistics of one search: distinct children, and leaves being expanded right now."""

    run: Run
    exploration: float
    branch: int
    kept: dict[NodeId, list[Node]] = state(default_factory=dict[NodeId, list[Node]])
    taken: set[NodeId] = state(default_factory=set[NodeId])
    widened: Counter[NodeId] = state(default_factory=Counter[NodeId])
    spent: bool = False

    def select(self) -> list[Node] | None:
        """Walk down by UCT to a free leaf and take it; None if there is none now."""
        path = None if self.spent else self.walk(self.run.trace.root)
        for node in path or ():
            node.visits += 1
        if path:
            self.taken.add(path[-1].id)
            self.widened[path[-1].id] += 1
        return path

    def walk(self, node: Node) -> list[Node] | None:
        """The path from `node` to the leaf that UCT prefers among those that are free."""
        free = not node.terminal and node.id not in self.taken
        if free and self.widened[node.id] < sqrt(max(1, node.visits)):
            return [node]
        spread = self.exploration * sqrt(log(node.visits + 1))
        children = self.kept.get(node.id, [])
        for child in sorted(children, key=lambda c: uct(c, spread), reverse=True):
            if below := self.walk(child):
                return [node, *below]
        return [node] if free else None

    def grow(self, leaf: Node, children: list[Node]) -> None:
        """Keep `children` under `leaf`, the new ones worth their own score."""
        for child in children[len(self.kept.get(leaf.id, [])) :]:
            child.visits, child.value = 1, child.score or 0.0
        self.kept[leaf.id] = children

    def backup(self, leaf: Node, path: Sequence[Node], value: float) -> None:
        """Add the simulation's value along its path and give the leaf back."""
        self.taken.discard(leaf.id)
        for node in path:
            node.value += value


def uct(node: Node, spread: float) -> float:
    """Mean value plus exploration; a visit under way counts as a loss until it ends."""
    return node.value / node.visits + spread / sqrt(node.visits)


async def cancel(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel what still runs and wait for its end, so that nothing outlives the search."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
