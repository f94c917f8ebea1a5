"""Verifier-weighted vote: each solution votes for its answer with its score."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.voting import decide_by
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class Weighted:
    """Vote over `n` samples, each weighted by its score (Li et al., 2022; Uesato et al., 2022)."""

    n: PositiveInt = 16
    traits = StrategyTraits(scores_once=True)

    async def search(self, run: Run) -> Node:
        """Sample `n` solutions, score them, add up the scores of each answer."""
        decide_by(run, "vote")
        nodes = await run.expand([run.trace.root], n=self.n)
        await run.score(nodes)
        return run.choose_final(nodes)
