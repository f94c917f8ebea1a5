"""Fallback: a second search where the answer of the first is missing or in doubt."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.substrategy import answered, attempt, make
from reasoner.trace import Node
from reasoner.traits import StrategyTraits, join_requirements, strategy_traits


@dataclass(frozen=True)
class Fallback:
    """Search with one strategy, and with another where the first is in doubt.

    A cascade of two (FrugalGPT, Chen et al., 2023, arXiv 2305.05176, cascades models).
    `first` has `share` of the budget. If it ends without a finished answer, or with one that the
    verifier scores below `threshold`, `second` has the rest, and the better answer of the two is
    chosen. Both have size `n`.
    """

    n: PositiveInt = 16
    first: str = "beam"
    second: str = "best-of-n"
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5

    def __post_init__(self) -> None:
        """Reject an unknown name before any compute is spent."""
        for name in (self.first, self.second):
            make(name, self.n)

    @property
    def traits(self) -> StrategyTraits:
        """The needs of both strategies; this one ends early on purpose."""
        both = (make(name, self.n) for name in (self.first, self.second))
        needs = join_requirements(map(strategy_traits, both))
        return replace(needs, stops_early=True)

    async def search(self, run: Run) -> Node:
        """Search once, and a second time if the first answer is in doubt."""
        answer = await attempt(run, run.sub_run(self.share), make(self.first, self.n))
        if answer is None or self.doubts(answer):
            await attempt(run, run.sub_run(1.0), make(self.second, self.n))
        return answered(run)

    def doubts(self, answer: Node) -> bool:
        """Return True if `answer` is unfinished or scored too low; an unscored one passes."""
        return not answer.finished or (answer.score is not None and answer.score < self.threshold)
