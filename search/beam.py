"""Beam search over reasoning steps, guided by a verifier."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best, top
from reasoner.search.common import score
from reasoner.trace import Node


@dataclass(frozen=True)
class Beam:
    """Sample `n` steps per depth, keep the best `n / branch`, sample `branch` from each.

    Verifier-guided beam search (Snell et al., 2024). Copies of a step stay beams of their own, so a step
    that scores well and is sampled often gets most of the next samples; merged, it would share them
    with whatever differs from it, however bad. Finished beams are kept aside; the search ends when `n`
    of them are there or no unfinished beam is left. Where the budget does not hold `n` whole
    solutions, beams as wide as it holds follow one another: a beam that stops half-way has no answer.
    """

    n: PositiveInt = 16
    branch: PositiveInt = 4

    async def search(self, run: Run) -> Node:
        """Grow one beam of full width, or narrower ones until the budget is spent."""
        while True:
            size = max(1, run.affordable(self.n))
            chosen = await self.grow(run, size)
            if size == self.n:
                return chosen

    async def grow(self, run: Run, size: int) -> Node:
        """One beam of `size`, a step at a time; returns the best node of the run so far."""
        branch = min(self.branch, size)
        chosen, frontier, wanted = run.trace.root, [run.trace.root], size
        finished = list[Node]()
        while frontier and len(finished) < size:
            children = await run.expand(frontier, n=wanted, step=True)
            await score(run, children)
            finished += [c for c in children if c.finished]
            chosen = run.offer(best([*run.trace.finished, *children]))
            frontier = top((c for c in children if not c.terminal), size // branch)
            wanted = branch
        return chosen
