"""Iterative broadening: a search again and again, each time wider, until it is sure."""

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
    """Search `first` wide, then twice as wide, until a solution has the highest score there is.

    Iterative broadening (Ginsberg and Harvey, 1992) around any strategy: what an easy problem saves
    is there for hard ones. The widths come to `n` together. The highest score is what the verifier
    says of itself, 1 if nothing; `enough` is a lower one to be content with.
    """

    n: PositiveInt = 64
    first: PositiveInt = 4
    strategy: str = "particle"
    enough: Annotated[float, Field(gt=0, le=1)] | None = None

    def __post_init__(self) -> None:
        """Refuse a wrong name before anything is spent."""
        make(self.strategy, self.n)

    @property
    def traits(self) -> StrategyTraits:
        """The needs of the strategy within; this one ends early on purpose."""
        needs = join_requirements([strategy_traits(make(self.strategy, self.n))])
        return replace(needs, stops_early=True)

    async def search(self, run: Run) -> Node:
        """Search round after round; the best answer of all is taken."""
        for width in self.widths():
            await attempt(run, run.sub_run(1.0), make(self.strategy, width))
            if run.clipped or self.sure(run):
                break
        return answered(run)

    def sure(self, run: Run) -> bool:
        """Whether no further search can find a better-scored answer."""
        chosen, enough = run.incumbent, run.ceiling if self.enough is None else self.enough
        return bool(chosen and chosen.finished and (chosen.score or 0.0) >= enough)

    def widths(self) -> Iterator[int]:
        """`first` and its doubles; the last one has what would not make a double of its own."""
        left, width = self.n, self.first
        while left > 0:
            size = width if left - width >= 2 * width else left
            yield size
            left, width = left - size, 2 * width
