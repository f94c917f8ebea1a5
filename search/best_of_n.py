"""Best-of-N: sample whole solutions, keep the one with the highest score."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class BestOfN:
    """Rank `n` independent samples by the verifier (Cobbe et al., 2021)."""

    n: PositiveInt = 16
    traits = StrategyTraits(scores_once=True)

    async def search(self, run: Run) -> Node:
        """Sample and score `n` solutions; return the best."""
        nodes = await run.expand([run.trace.root], n=self.n)
        await run.score(nodes)
        return best(nodes)
