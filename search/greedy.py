"""Greedy decoding: the most likely solution, once."""

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class Greedy:
    """One chain of thought at temperature zero (Wei et al., 2022).

    `n` changes nothing; it exists because every strategy has one.
    """

    n: PositiveInt = 1
    traits = StrategyTraits(verifier="unneeded", stops_early=True)

    async def search(self, run: Run) -> Node:
        """Sample once."""
        [node] = await run.expand([run.trace.root], temperature=0.0)
        return node
