"""Best of N: sample whole solutions, keep the one the verifier likes most."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class BestOfN:
    """`n` independent samples ranked by the verifier (Cobbe et al., 2021)."""

    n: PositiveInt = 16
    traits = StrategyTraits(scores_once=True)

    async def search(self, run: Run) -> Node:
        """Sample `n` solutions, score them, choose."""
        nodes = await run.expand([run.trace.root], n=self.n)
        await run.score(nodes)
        return best(nodes)
