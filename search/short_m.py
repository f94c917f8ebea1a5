"""short-m@k: of many samples, only the first to finish vote."""

from collections import defaultdict
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import BudgetExhausted
from reasoner.run import Run, best
from reasoner.search.common.running_vote import samples
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class ShortM:
    """Start `n` samples at once, abort the rest once `m` have finished, and take these `m`'s majority.

    short-m@k (Hassid et al., 2025, arXiv 2505.17813; k is `n`): a model that thinks longer on a problem is
    more often wrong. A tie goes to the answer with the shortest thinking. Samples that end without an answer
    are waited past; aborted ones are charged what they generated.
    """

    n: PositiveInt = 8
    m: PositiveInt = 3
    traits = StrategyTraits(verifier="unneeded", stops_early=True, watches=True)

    async def search(self, run: Run) -> Node:
        """Sample until `m` have finished, and count their votes."""
        run.choose_final_by(partial(shortest_majority, run))
        race = Race(run, self.m)

        def more(running: int) -> bool:
            return not race.over and len(race.arrived) + running < self.n

        async with aclosing(samples(race.draw, more, self.n)) as arriving:
            async for node in arriving:
                race.add(node)
                run.offer(race.chosen())
        return race.chosen()


class Race:
    """Samples under way, of which the first `m` to finish count."""

    def __init__(self, run: Run, m: int) -> None:
        self.run, self.m = run, m
        self.arrived, self.first = list[Node](), list[Node]()

    @property
    def over(self) -> bool:
        """True once `m` samples have finished."""
        return len(self.first) >= self.m

    def draw(self) -> Coroutine[Any, Any, list[Node]]:
        """Sample once; given up at the next token once the race is over, so that it is counted."""
        return self.run.expand([self.run.trace.root], halt=lambda: lambda _: self.over)

    def add(self, node: Node) -> None:
        """Count a sample that has ended; one without an answer is none of the first."""
        self.arrived.append(node)
        if not self.over and self.run.answer(node) is not None:
            self.first.append(node)

    def chosen(self) -> Node:
        """Return the majority's choice; of samples without an answer, the best.

        Raises:
            BudgetExhausted: the budget allowed no sample.
        """
        if not self.arrived:
            raise BudgetExhausted("no budget is left for a sample")
        return shortest_majority(self.run, self.first or self.arrived)


def shortest_majority(run: Run, nodes: Sequence[Node]) -> Node:
    """Return the shortest solution of the most frequent answer; the shorter of two answers wins a tie."""
    ballots = defaultdict[str, list[tuple[int, Node]]](list)
    for node in nodes:
        if (answer := run.answer(node)) is not None:
            ballots[answer].append((thinking_length(run, node), node))
    if not ballots:
        return best(nodes)
    shortest = [(-len(votes), *min(votes, key=lambda vote: vote[0])) for votes in ballots.values()]
    return min(shortest, key=lambda winner: winner[:2])[2]


def thinking_length(run: Run, node: Node) -> int:
    """Return the characters of a solution's thinking, or of all of it where none is marked."""
    parts = run.trace.candidate(node).parts
    return len(parts.thinking or parts.text)
