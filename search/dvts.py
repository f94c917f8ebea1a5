"""Diverse verifier tree search: many narrow greedy searches instead of one wide beam."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted
from reasoner.run import Run
from reasoner.search.common.deduplication import Siblings
from reasoner.search.common.voting import by_score, decide_by, rounds
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class DVTS:
    """Grow `n / branch` separate trees, each by the best of `branch` steps (Beeching et al., 2024).

    The trees of "Scaling test-time compute with open models" never compete, so one step that the
    verifier overrates cannot take all the samples. `choose` takes the best-scored solution or the
    verifier-weighted vote. Where the budget does not cover `n` whole solutions, groups of fewer trees
    run one after another.
    """

    n: PositiveInt = 16
    branch: PositiveInt = 4
    choose: Literal["best", "vote"] = "best"
    traits = StrategyTraits(scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Grow all trees at once, or fewer at a time until the budget is spent."""
        decide_by(run, self.choose)
        return await rounds(run, self.n, partial(self.grow, Siblings(run), list[Node]()))

    async def grow(self, siblings: Siblings, solutions: list[Node], size: int) -> Node:
        """Grow trees from `size` first steps, extend `solutions`, and return the choice."""
        run = siblings.run
        # One request samples the first steps of all trees: seeds depend on their ranks, which must
        # not depend on timing.
        firsts = await run.expand([run.trace.root], n=size, step=True)
        await siblings.merge(firsts)
        trees = [firsts[i : i + self.branch] for i in range(0, len(firsts), self.branch)]
        grown = await gather([self.descend(siblings, tree) for tree in trees])
        solutions += [node for tree in grown for node in tree if node.finished]
        return run.offer(run.choose_final(solutions) if solutions else run.incumbent or firsts[0])

    async def descend(self, siblings: Siblings, children: list[Node]) -> list[Node]:
        """Follow the best child from `children` to an end; return all nodes of the tree."""
        run, tree, branch = siblings.run, list(children), len(children)
        try:
            while node := follow(children):
                self.offer(run, children)
                if node.finished:
                    break
                children = await run.expand([node], n=branch, step=True)
                tree += children
                await siblings.merge(children)
        except BudgetExhausted:  # The other trees may still be running.
            pass
        return tree

    def offer(self, run: Run, children: Sequence[Node]) -> None:
        """Offer a better answer at once; a vote waits for all trees."""
        if self.choose == "best":
            run.offer_if_better(children)


def follow(children: Sequence[Node]) -> Node | None:
    """Return the best-scored child that is, or may become, a solution."""
    return max((c for c in children if c.finished or not c.terminal), key=by_score, default=None)
