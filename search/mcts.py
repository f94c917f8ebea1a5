"""Monte Carlo tree search over reasoning steps."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from statistics import fmean
from typing import Literal

from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import BudgetExhausted
from reasoner.run import Run, best
from reasoner.search.common.simulation import SimulationTree, backup, mean, simulations
from reasoner.search.common.voting import by_score, vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits

Judge = Callable[[Sequence[Node]], Awaitable[None]]
"""A function that scores nodes without a score."""


@dataclass(frozen=True)
class MCTS:
    """UCT (Kocsis & Szepesvári, 2006) with the verifier's score as the value of a leaf.

    With `select="puct"` a child is explored in proportion to its prior (Silver et al., 2017): its
    share of its parent's samples, copies merged. A node visited v times is sampled up to
    v ** `widening` times (progressive widening, Coulom, 2007), once if `widening` is 0. Up to
    `parallel` of the `n` simulations run at once, kept apart by virtual loss (Chaslot et al.,
    2008): a visit counts at its start, its value at its end. With `rollout`, the best new step is
    continued to its end, and the score of that solution is backed up. `choose` takes the best-scored
    solution, the verifier-weighted vote, or the vote weighted by the backed-up values along the path
    (after Hao et al., 2023, RAP).
    """

    n: PositiveInt = 64
    branch: PositiveInt = 4
    exploration: NonNegativeFloat = 0.5
    parallel: PositiveInt = 8
    rollout: bool = True
    choose: Literal["best", "vote", "aggregate"] = "best"
    select: Literal["uct", "puct"] = "uct"
    widening: NonNegativeFloat = 0.5
    traits = StrategyTraits(scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Run `n` simulations, or as many as the budget allows."""
        if self.choose != "best":
            weight = by_score if self.choose == "vote" else partial(path_value, run)
            run.choose_final_by(partial(vote, run, weight=weight))
        await self.explore(self.tree(run), run.score)
        candidates = run.trace.finished or [n for n in [run.incumbent] if n]
        if not candidates:
            raise BudgetExhausted("no step could be sampled")
        return run.choose_final(candidates)

    def tree(self, run: Run) -> SimulationTree:
        """Return an empty tree with this search's settings."""
        return SimulationTree(run, self.exploration, self.widening, self.select == "puct")

    async def explore(self, tree: SimulationTree, judge: Judge) -> bool:
        """Simulate `n` times in `tree`; return True if the budget covered them all."""
        simulate = partial(self.simulate, tree, judge)
        return await simulations(self.n, self.parallel, tree.select, simulate)

    async def simulate(self, tree: SimulationTree, judge: Judge, path: list[Node]) -> None:
        """Expand the leaf that ends `path` and back up the best score."""
        run, leaf = tree.run, path[-1]
        try:
            sampled = await run.expand([leaf], n=self.affordable(run), step=True)
            children = tree.merge(leaf, sampled)
            await judge(children)
            self.offer(run, children)
            tree.grow(leaf, children)
            # Without a verifier, open children are equal; the last one is new if any is.
            reached = best(children) if run.verified else children[-1]
            if self.rollout and not reached.terminal:
                path = [*path, reached]
                reached.visits += 1
                [reached] = await run.expand([reached])
                await judge([reached])
                self.offer(run, [reached])
        finally:
            tree.release(leaf)
        backup(path, reached.score or 0.0)

    def affordable(self, run: Run) -> int:
        """Return the steps to sample at once: fewer if the budget might end before a first solution."""
        return self.branch if run.trace.finished else max(1, run.affordable(self.branch))

    def offer(self, run: Run, nodes: Sequence[Node]) -> None:
        """Offer the best node so far; when votes decide, unfinished nodes only."""
        leader = best([*nodes, *filter(None, [run.incumbent])])
        if self.choose == "best" or not leader.finished:
            run.offer(leader)


def path_value(run: Run, node: Node) -> float:
    """Return the mean value of the steps up to `node`; zero for a copy, which has no score."""
    if node.score is None:
        return 0.0
    steps = run.trace.path(node)[1:]
    return fmean(mean(step) if step.visits else step.score or 0.0 for step in steps)
