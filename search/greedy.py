"""Greedy decoding: the most likely solution, once."""

from typing import ClassVar

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.trace import Node


@dataclass(frozen=True)
class Greedy:
    """One chain of thought at temperature zero (Wei et al., 2022).

    `n` changes nothing; it exists because every strategy has one.
    """

    n: PositiveInt = 1
    verified: ClassVar[bool] = False
    stops_early: ClassVar[bool] = True

    async def search(self, run: Run) -> Node:
        """Sample once."""
        [node] = await run.expand([run.trace.root], temperature=0.0)
        return node
