"""Early-stopping self-consistency: sample in windows until all answers of one agree."""

from functools import partial
from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.running_vote import Poll
from reasoner.search.common.voting import vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class ESC:
    """Sample windows of `window` solutions until all of one agree, then take the majority.

    Early-stopping self-consistency (Li et al., 2024, arXiv 2401.10480): agreement within a window
    means that the answers have hardly any entropy. The vote is over all samples, at most `n`.
    A solution without an answer agrees with no other.
    """

    n: PositiveInt = 40
    window: Annotated[int, Field(ge=2)] = 5
    traits = StrategyTraits(verifier="unneeded", stops_early=True)

    async def search(self, run: Run) -> Node:
        """Sample one window after another."""
        run.choose_final_by(partial(vote, run))
        poll = Poll(run)
        agreed = False
        while poll.size < self.n and not agreed:
            size = min(self.window, self.n - poll.size)
            answers = [poll.add(node) for node in await run.expand([run.trace.root], n=size)]
            agreed = None not in answers and len(set(answers)) == 1
            run.offer(poll.chosen())
        return poll.chosen()
