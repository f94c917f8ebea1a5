"""Best-of-N that stops as soon as no further sample can be better."""

from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class AdaptiveBestOfN:
    """Sample up to `n` solutions, `batch` at a time, until one has the highest possible score.

    Only a higher score replaces the best sample, so samples after the highest possible score change
    nothing and the answer is as good as best-of-N's. Optimal stopping with a known ceiling (Weitzman,
    1979; for language models Kalayci et al., 2025, arXiv 2510.01394). The ceiling is the verifier's
    own, 1 by default; `enough` sets a lower score to stop at.
    """

    n: PositiveInt = 64
    batch: PositiveInt = 4
    enough: Annotated[float, Field(gt=0, le=1)] | None = None
    traits = StrategyTraits(stops_early=True)

    async def search(self, run: Run) -> Node:
        """Sample and score batches until a score is high enough."""
        enough = run.ceiling if self.enough is None else self.enough
        chosen, sampled = run.trace.root, 0
        while sampled < self.n and not (chosen.finished and (chosen.score or 0.0) >= enough):
            nodes = await run.expand([run.trace.root], n=min(self.batch, self.n - sampled))
            await run.score(nodes)
            chosen = run.offer_if_better(nodes)
            sampled += len(nodes)
        return chosen
