"""Beam search over reasoning steps, guided by a verifier."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best, top
from reasoner.search.common import distinct
from reasoner.trace import Node


@dataclass(frozen=True)
class Beam:
    """Sample `n` steps per depth, keep the best `n / branch`, sample `branch` from each.

    Verifier-guided beam search (Snell et al., 2024). Finished beams are kept aside; the search
    ends when `n` of them are there or no unfinished beam is left.
    """

    n: PositiveInt = 16
    branch: PositiveInt = 4

    async def search(self, run: Run) -> Node:
        """Grow the beams one step at a time."""
        width = max(1, self.n // self.branch)
        chosen = root = run.trace.root
        frontier, finished, wanted = [root], list[Node](), self.n
        while frontier and len(finished) < self.n:
            children = distinct(run, await run.expand(frontier, n=wanted, step=True))
            await run.score(children)
            finished += [c for c in children if c.finished]
            chosen = run.offer(best([*finished, *children]))
            frontier = top((c for c in children if not c.terminal), width)
            wanted = self.branch
        return chosen
