"""What searches by simulation share: the statistics of a tree, and simulations that run at once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from math import inf, log, sqrt
from typing import Any, TypeVar

from reasoner.errors import BudgetExhausted
from reasoner.run import Run
from reasoner.search.common.voting import copies
from reasoner.trace import Node
from reasoner.types import NodeId

T = TypeVar("T")


@dataclass(slots=True)
class Tree:
    """The statistics of one search: distinct children, and leaves being expanded right now."""

    run: Run
    exploration: float = 0.5
    widening: float = 0.5
    puct: bool = False
    kept: dict[NodeId, list[Node]] = field(default_factory=dict[NodeId, list[Node]])
    taken: set[NodeId] = field(default_factory=set[NodeId])
    widened: Counter[NodeId] = field(default_factory=Counter[NodeId])
    drawn: Counter[NodeId] = field(default_factory=Counter[NodeId])
    """How often the text of a child was sampled."""

    def select(self) -> list[Node] | None:
        """Walk down to a free leaf and take it; None if there is none now."""
        path = self.walk(self.run.trace.root)
        for node in path or ():
            node.visits += 1
        if path:
            self.taken.add(path[-1].id)
            self.widened[path[-1].id] += 1
        return path

    def walk(self, node: Node) -> list[Node] | None:
        """The path from `node` to the leaf that is preferred among those that are free."""
        free = not node.terminal and node.id not in self.taken
        if free and self.widened[node.id] < max(1, node.visits) ** self.widening:
            return [node]
        children = self.kept.get(node.id, [])
        for child in sorted(children, key=self.preference(node, children), reverse=True):
            if below := self.walk(child):
                return [node, *below]
        return [node] if free else None

    def preference(self, parent: Node, children: Sequence[Node]) -> Callable[[Node], float]:
        """UCT, or PUCT, of the children of one parent."""
        if not self.puct:
            spread = self.exploration * sqrt(log(parent.visits + 1))
            return lambda c: mean(c) + spread / sqrt(c.visits) if c.visits else inf
        samples = sum(self.drawn[c.id] for c in children)
        share = self.exploration * sqrt(parent.visits) / max(1, samples)
        return lambda c: mean(c) + share * self.drawn[c.id] / (1 + c.visits)

    def merge(self, leaf: Node, sampled: Sequence[Node]) -> list[Node]:
        """The children of `leaf` with the new ones among `sampled`; copies count for the first."""
        groups = copies(self.run, [*self.kept.get(leaf.id, []), *sampled])
        for first, *others in groups:
            self.drawn[first.id] = max(1, self.drawn[first.id]) + len(others)
        return [first for first, *_ in groups]

    def grow(self, leaf: Node, children: list[Node]) -> None:
        """Keep `children` under `leaf`, the new ones worth their own score if they have one."""
        for child in children[len(self.kept.get(leaf.id, [])) :]:
            if child.score is not None:
                child.visits, child.value = 1, child.score
        self.kept[leaf.id] = children

    def release(self, leaf: Node) -> None:
        """Give a taken leaf back."""
        self.taken.discard(leaf.id)


def mean(node: Node) -> float:
    """The mean value of a node; a visit under way counts as a loss until it ends."""
    return node.value / node.visits if node.visits else 0.0


def backup(path: Sequence[Node], value: float) -> None:
    """Add a simulation's value along its path."""
    for node in path:
        node.value += value


async def simulations(
    n: int,
    parallel: int,
    select: Callable[[], T | None],
    simulate: Callable[[T], Coroutine[Any, Any, None]],
) -> bool:
    """Run up to `n` simulations, `parallel` at once; tell whether the budget held all of them."""
    running, left, enough = list[asyncio.Task[None]](), n, True
    try:
        while True:
            while left and len(running) < parallel and (chosen := select()) is not None:
                running.append(asyncio.create_task(simulate(chosen)))
                left -= 1
            if not running:
                return enough
            await asyncio.wait(running, return_when="FIRST_COMPLETED")
            # In the order of their start, whatever the order of their end.
            errors = [error for task in running if task.done() and (error := task.exception())]
            running = [task for task in running if not task.done()]
            if errors:
                raise_unless_exhausted(errors)
                left, enough = 0, False
    finally:
        await cancel(running)


def raise_unless_exhausted(errors: Sequence[BaseException]) -> None:
    """Raise the first error that is more than the budget's end."""
    for error in errors:
        if not isinstance(error, BudgetExhausted):
            raise error


async def cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel what still runs and wait for its end, so that nothing outlives the search."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
