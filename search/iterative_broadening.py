"""Iterative broadening: repeat a search, wider each time, until the score is highest."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.substrategy import answered, attempt, make
from reasoner.trace import Node
from reasoner.traits import StrategyTraits, join_requirements, strategy_traits


@dataclass(frozen=True)
class IterativeBroadening:
    """Search with width `first`, then double it until a solution has the highest possible score.

    Iterative broadening (Ginsberg and Harvey, 1992) around any strategy: easy problems stop early,
    which leaves compute for hard ones. The widths add up to `n`. The highest score is the verifier's
    own ceiling, 1 by default; `enough` sets a lower score to stop at.
    """

    n: PositiveInt = 64
    first: PositiveInt = 4
    strategy: str = "particle"
    enough: Annotated[float, Field(gt=0, le=1)] | None = None

    def __post_init__(self) -> None:
        """Reject an unknown name before any compute is spent."""
        make(self.strategy, self.n)

    @property
    def traits(self) -> StrategyTraits:
        """The needs of the strategy within; this one ends early on purpose."""
        needs = join_requirements([strategy_traits(make(self.strategy, self.n))])
        return replace(needs, stops_early=True)

    async def search(self, run: Run) -> Node:
        """Search round after round; return the best answer of all."""
        for width in self.widths():
            await attempt(run, run.sub_run(1.0), make(self.strategy, width))
            if run.clipped or self.sure(run):
                break
        return answered(run)

    def sure(self, run: Run) -> bool:
        """Return True if the answer's score is high enough to stop."""
        chosen, enough = run.incumbent, run.ceiling if self.enough is None else self.enough
        return bool(chosen and chosen.finished and (chosen.score or 0.0) >= enough)

    def widths(self) -> Iterator[int]:
        """Yield `first` and its doubles; the last width takes a remainder too small to double again."""
        left, width = self.n, self.first
        while left > 0:
            size = width if left - width >= 2 * width else left
            yield size
            left, width = left - size, 2 * width
