"""Ensemble: several strategies at once, with one pool of answers."""

from functools import partial
from typing import Annotated, Literal

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.concurrency import gather
from reasoner.run import Run
from reasoner.search.common.substrategy import answered, attempt, make
from reasoner.search.common.voting import by_score, one, score, vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits, join_requirements, strategy_traits


@dataclass(frozen=True)
class Ensemble:
    """Run several strategies at once and choose among all their finished solutions.

    After Archon (Saad-Falcon et al., 2024, arXiv 2409.15254), which combines models and methods.
    The `members` share `n` and the budget equally, so that an ensemble of `n` costs what one
    strategy of `n` does; with `n` below the number of members, only the first `n` run. One verifier
    scores every finished solution; `choose` takes the best one or the vote weighted by scores.
    """

    n: PositiveInt = 16
    members: Annotated[tuple[str, ...], Field(min_length=1)] = ("beam", "best-of-n")
    choose: Literal["best", "vote"] = "best"

    def __post_init__(self) -> None:
        """Reject an unknown name before any compute is spent."""
        for name in self.members:
            make(name, self.n)

    @property
    def traits(self) -> StrategyTraits:
        """The needs of all members."""
        return join_requirements(strategy_traits(make(name, self.n)) for name in self.members)

    async def search(self, run: Run) -> Node:
        """Run every member to its end, then choose."""
        if self.choose == "vote" or not run.verified:
            run.choose_final_by(partial(vote, run, weight=by_score if run.verified else one))
        sizes = self.sizes()
        parts = [run.sub_run(1 / len(sizes), time=1.0) for _ in sizes]
        await gather(
            attempt(run, part, make(name, n)) for part, (name, n) in zip(parts, sizes, strict=True)
        )
        if not run.trace.finished:
            return answered(run)
        if run.verified:
            await score(run, [n for n in run.trace.finished if n.score is None])
        return run.choose_final(run.trace.finished)

    def sizes(self) -> list[tuple[str, int]]:
        """Return the members that run, each with its size."""
        names = self.members[: self.n]
        each, more = divmod(self.n, len(names))
        return [(name, each + (i < more)) for i, name in enumerate(names)]
