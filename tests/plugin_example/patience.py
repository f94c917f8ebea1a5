"""A strategy from another package: one file and two lines of TOML."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class Patience:
    """Sample one solution at a time until `n` in a row did not improve on the best."""

    n: PositiveInt = 4
    traits = StrategyTraits(stops_early=True)

    async def search(self, run: Run) -> Node:
        """Sample, score, keep the best, count the disappointments."""
        chosen, disappointed = run.trace.root, 0
        while disappointed < self.n:
            [node] = await run.expand([run.trace.root])
            await run.score([node])
            better = best([chosen, node]) is node
            chosen, disappointed = (node, 0) if better else (chosen, disappointed + 1)
            run.offer(chosen)
        return chosen
