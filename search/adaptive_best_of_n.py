"""Best of N that ends as soon as no further sample can be better."""

from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class AdaptiveBestOfN:
    """Sample up to `n` solutions, `batch` at a time, until one has the highest score there is.

    A sample can only be replaced by one that scores higher, so what follows a highest score is in vain
    and the answer is as good as best-of-N's. Optimal stopping with a known ceiling (Weitzman, 1979;
    for language models Kalayci et al., 2025, arXiv 2510.01394). The ceiling is what the verifier says of
    itself, 1 if nothing; `enough` is a lower score to be content with.
    """

    n: PositiveInt = 64
    batch: PositiveInt = 4
    enough: Annotated[float, Field(gt=0, le=1)] | None = None
    traits = StrategyTraits(stops_early=True)

    async def search(self, run: Run) -> Node:
        """Sample and score until one is good enough."""
        enough = run.ceiling if self.enough is None else self.enough
        chosen, drawn = run.trace.root, 0
        while drawn < self.n and not (chosen.finished and (chosen.score or 0.0) >= enough):
            nodes = await run.expand([run.trace.root], n=min(self.batch, self.n - drawn))
            await run.score(nodes)
            chosen = run.offer_if_better(nodes)
            drawn += len(nodes)
        return chosen
