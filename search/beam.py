"""Beam search over reasoning steps, guided by a verifier."""

from collections.abc import Sequence
from functools import partial

from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best, top
from reasoner.search.common.deduplication import Siblings
from reasoner.search.common.voting import copies, rounds, score
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class Beam:
    """Sample `n` steps per depth, keep the best `n / branch`, sample `branch` from each.

    Verifier-guided beam search (Snell et al., 2024). With `lookahead`, each step is followed by that
    many more at temperature zero and takes the score of the node they reach; these rollouts are
    charged to the budget but never join the beam. Copies of a step stay separate beams, so a step
    that scores well and is sampled often gets most of the next samples; merged, it would share them
    with different steps, however bad. Finished beams are set aside; the search ends when there are
    `n` of them or no unfinished beam is left. Where the budget does not cover `n` whole solutions,
    narrower beams run one after another: a beam that stops half-way has no answer.
    """

    n: PositiveInt = 16
    branch: PositiveInt = 2
    lookahead: NonNegativeInt = 0
    traits = StrategyTraits(scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Grow one beam of full width, or narrower ones until the budget is spent."""
        grow = partial(self.grow, Siblings(run))
        return await rounds(run, self.n, grow, each=1 + self.lookahead)

    async def grow(self, siblings: Siblings, size: int) -> Node:
        """Grow one beam of `size` step by step; return the best node of the run so far."""
        run = siblings.run
        branch = min(self.branch, size)
        chosen, frontier, wanted = run.trace.root, [run.trace.root], size
        finished = list[Node]()
        while frontier and len(finished) < size:
            children = await run.expand(frontier, n=wanted, step=True)
            await self.judge(siblings, children)
            finished += [c for c in children if c.finished]
            chosen = run.offer(best([*run.trace.finished, *children]))
            frontier = top((c for c in children if not c.terminal), size // branch)
            wanted = branch
        return chosen

    async def judge(self, siblings: Siblings, children: Sequence[Node]) -> None:
        """Score `children`, or the ends of their rollouts; copies share one rollout."""
        run = siblings.run
        if not self.lookahead:
            await score(run, children)
            return
        groups = copies(run, children)
        ends = await self.roll(run, [first for first, *_ in groups])
        await siblings.merge(ends)
        for group, end in zip(groups, ends, strict=True):
            for node in group:
                node.score = end.score

    async def roll(self, run: Run, nodes: Sequence[Node]) -> list[Node]:
        """Follow each of `nodes` for `lookahead` greedy steps; return the nodes reached."""
        ends = list(nodes)
        for _ in range(self.lookahead):
            if not (unfinished := [n for n in ends if not n.terminal]):
                break
            steps = await run.expand(unfinished, step=True, temperature=0.0)
            after = {run.trace.parent(s): s for s in steps}
            ends = [after.get(n, n) for n in ends]
        return ends
