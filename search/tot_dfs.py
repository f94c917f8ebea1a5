"""Tree of thoughts, depth first."""

from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, top
from reasoner.search.common.tree_of_thoughts import Thoughts
from reasoner.trace import Node


@dataclass(frozen=True)
class TotDFS(Thoughts):
    """Follow the best thought first, prune and backtrack (ToT-DFS; Yao et al., 2023).

    Algorithm 2 of arXiv 2305.10601: thoughts with a value of at most `threshold` are pruned. The
    search ends at `n` solutions, after `expansions` nodes, or when all thoughts are pruned; then the
    best thought is completed, so that there is an answer. See `Thoughts` for the other settings.
    """

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.01
    expansions: PositiveInt = 100

    @property
    def size(self) -> int:
        return self.branch

    async def grow(self, run: Run, size: int) -> None:
        """Search once, with the best unexplored thought on top of the stack."""
        stack, finished = [run.trace.root], 0
        for _ in range(self.expansions):
            if not stack or finished >= self.n:
                break
            thoughts = await self.think(run, [stack.pop()], size)
            await self.judge(run, thoughts)
            finished += sum(t.finished for t in thoughts)
            run.offer_if_better(thoughts)
            stack += reversed(top(filter(self.promising, thoughts), size))

    def promising(self, thought: Node) -> bool:
        """Return True if a thought is worth following."""
        return not thought.terminal and (thought.score or 0.0) > self.threshold
