"""Adaptive-Consistency: a majority vote that stops as soon as its outcome is clear."""

from collections.abc import Coroutine
from contextlib import aclosing
from functools import partial
from math import exp, lgamma, log
from typing import Annotated, Any

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.running_vote import Poll, samples
from reasoner.search.common.voting import vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class AdaptiveMajority:
    """Sample until the leading answer beats the runner-up with probability above `threshold`.

    Adaptive-Consistency (Aggarwal et al., 2023, arXiv 2305.11860), with their Beta criterion, up to
    `n` samples; it also stops when the runner-up can no longer catch up. With `ahead`, it stops
    instead when the leader is that many votes ahead: Wald's sequential test (1945) of two answers, in
    voting first-to-ahead-by-k (Meyerson et al., 2025, arXiv 2511.09030). Up to `parallel` samples run
    at once, but never more than would settle the vote if all of them chose the leader. So the samples
    are exactly those of sampling one at a time, and none is wasted.
    """

    n: PositiveInt = 40
    threshold: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    ahead: PositiveInt | None = None
    parallel: PositiveInt = 8
    traits = StrategyTraits(verifier="unneeded", stops_early=True)

    async def search(self, run: Run) -> Node:
        """Sample and count votes until the vote is settled."""
        run.choose_final_by(partial(vote, run))
        poll = Poll(run)

        def draw() -> Coroutine[Any, Any, list[Node]]:
            return run.expand([run.trace.root])

        def more(running: int) -> bool:
            left = self.n - poll.size - running
            first, second = map(int, poll.lead)
            return left > 0 and not self.settled(first + running, second, left)

        async with aclosing(samples(draw, more, self.parallel)) as arriving:
            async for node in arriving:
                poll.add(node)
                run.offer(poll.chosen())
        return poll.chosen()

    def settled(self, first: int, second: int, left: int) -> bool:
        """Return True if the `left` samples are not worth drawing."""
        if first - second > left:
            return True
        if self.ahead is not None:
            return first - second >= self.ahead
        return lead_probability(first, second) > self.threshold


def lead_probability(first: int, second: int) -> float:
    """Return the probability that the answer with `first` votes is the more likely of two.

    It is the mass of Beta(first + 1, second + 1) above one half, which equals the probability of more
    than `second` heads in `first + second + 1` tosses of a fair coin.
    """
    tosses = first + second + 1
    ways = lgamma(tosses + 1) - lgamma(second + 1) - lgamma(first + 2)
    term = exp(ways - tosses * log(2))  # Exactly `second` heads.
    tail = 0.0
    for heads in range(second, -1, -1):
        tail += term
        term *= heads / (tosses - heads + 1)
        if term < 1e-17:
            break
    return 1.0 - tail
