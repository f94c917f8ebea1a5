"""Parts of simulation-based searches: tree statistics and concurrent simulations."""

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
class SimulationTree:
    """Statistics of one search: distinct children, and the leaves being expanded."""

    run: Run
    exploration: float = 0.5
    widening: float = 0.5
    puct: bool = False
    children: dict[NodeId, list[Node]] = field(default_factory=dict[NodeId, list[Node]])
    taken: set[NodeId] = field(default_factory=set[NodeId])
    widened: Counter[NodeId] = field(default_factory=Counter[NodeId])
    sample_counts: Counter[NodeId] = field(default_factory=Counter[NodeId])
    """Number of samples with the text of each child."""

    def select(self) -> list[Node] | None:
        """Take a free leaf and return the path to it; None if no leaf is free."""
        path = self.walk(self.run.trace.root)
        for node in path or ():
            node.visits += 1
        if path:
            self.taken.add(path[-1].id)
            self.widened[path[-1].id] += 1
        return path

    def walk(self, node: Node) -> list[Node] | None:
        """Return the path from `node` to the preferred free leaf; None if no leaf is free."""
        free = not node.terminal and node.id not in self.taken
        if free and self.widened[node.id] < max(1, node.visits) ** self.widening:
            return [node]
        children = self.children.get(node.id, [])
        for child in sorted(children, key=self.preference(node, children), reverse=True):
            if below := self.walk(child):
                return [node, *below]
        return [node] if free else None

    def preference(self, parent: Node, children: Sequence[Node]) -> Callable[[Node], float]:
        """Return the UCT or PUCT value of each child of one parent, as a function."""
        if not self.puct:
            spread = self.exploration * sqrt(log(parent.visits + 1))
            return lambda c: mean(c) + spread / sqrt(c.visits) if c.visits else inf
        samples = sum(self.sample_counts[c.id] for c in children)
        share = self.exploration * sqrt(parent.visits) / max(1, samples)
        return lambda c: mean(c) + share * self.sample_counts[c.id] / (1 + c.visits)

    def merge(self, leaf: Node, sampled: Sequence[Node]) -> list[Node]:
        """Return the children of `leaf` and the new ones in `sampled`; copies count for the first."""
        groups = copies(self.run, [*self.children.get(leaf.id, []), *sampled])
        for first, *others in groups:
            self.sample_counts[first.id] = max(1, self.sample_counts[first.id]) + len(others)
        return [first for first, *_ in groups]

    def grow(self, leaf: Node, children: list[Node]) -> None:
        """Store the `children` of `leaf`; a new one starts with its own score, if it has one."""
        for child in children[len(self.children.get(leaf.id, [])) :]:
            if child.score is not None:
                child.visits, child.value = 1, child.score
        self.children[leaf.id] = children

    def release(self, leaf: Node) -> None:
        """Release a taken leaf."""
        self.taken.discard(leaf.id)


def mean(node: Node) -> float:
    """Return the mean value of a node; a running visit counts as a loss until it ends."""
    return node.value / node.visits if node.visits else 0.0


def backup(path: Sequence[Node], value: float) -> None:
    """Add a simulation's value to every node of its path."""
    for node in path:
        node.value += value


async def simulations(
    n: int,
    parallel: int,
    select: Callable[[], T | None],
    simulate: Callable[[T], Coroutine[Any, Any, None]],
) -> bool:
    """Run up to `n` simulations, `parallel` at once; return True if the budget covered them all."""
    running, left, enough = list[asyncio.Task[None]](), n, True
    try:
        while True:
            while left and len(running) < parallel and (chosen := select()) is not None:
                running.append(asyncio.create_task(simulate(chosen)))
                left -= 1
            if not running:
                return enough
            await asyncio.wait(running, return_when="FIRST_COMPLETED")
            # In starting order, not in order of completion.
            errors = [error for task in running if task.done() and (error := task.exception())]
            running = [task for task in running if not task.done()]
            if errors:
                raise_unless_exhausted(errors)
                left, enough = 0, False
    finally:
        await cancel(running)


def raise_unless_exhausted(errors: Sequence[BaseException]) -> None:
    """Raise the first error other than an exhausted budget."""
    for error in errors:
        if not isinstance(error, BudgetExhausted):
            raise error


async def cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel running tasks and wait for their end, so that none outlives the search."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
