"""Self-consistency: sample whole solutions and take the most frequent answer."""

from functools import partial

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.voting import vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class Majority:
    """Majority vote over the answers of `n` samples (Wang et al., 2022); needs no verifier."""

    n: PositiveInt = 16
    traits = StrategyTraits(verifier="unneeded")

    async def search(self, run: Run) -> Node:
        """Sample `n` solutions and count votes."""
        run.choose_final_by(partial(vote, run))
        return run.choose_final(await run.expand([run.trace.root], n=self.n))
