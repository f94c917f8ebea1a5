"""Tree of thoughts, breadth first."""

from pydantic.dataclasses import dataclass

from reasoner.run import Run, best, top
from reasoner.search.common.tree_of_thoughts import Thoughts
from reasoner.trace import Node


@dataclass(frozen=True)
class TotBFS(Thoughts):
    """Grow `branch` thoughts from each of the `n` best nodes of a depth (ToT-BFS; Yao et al., 2023).

    Algorithm 1 of arXiv 2305.10601; `n` is its b. Copies of a thought are merged. Finished solutions
    are set aside; the search ends when there are `n` of them or no thought is left to grow. See
    `Thoughts` for the other settings.
    """

    @property
    def size(self) -> int:
        return self.n * self.branch

    async def grow(self, run: Run, size: int) -> None:
        """Search once, depth by depth."""
        branch = min(self.branch, size)
        breadth, frontier, finished = size // branch, [run.trace.root], list[Node]()
        while frontier and len(finished) < breadth:
            thoughts = await self.think(run, frontier, branch)
            await self.judge(run, thoughts)
            finished += [t for t in thoughts if t.finished]
            run.offer(best([*finished, *thoughts]))
            frontier = top((t for t in thoughts if not t.terminal), breadth)
