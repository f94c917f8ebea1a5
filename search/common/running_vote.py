"""Running votes, for strategies that decide after each sample whether to continue."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine
from operator import attrgetter
from typing import Any

from reasoner.errors import BudgetExhausted
from reasoner.run import Run, best
from reasoner.search.common.voting import Weight, one
from reasoner.trace import Node

Draw = Callable[[], Coroutine[Any, Any, list[Node]]]


class Poll:
    """An incremental `vote`: adding a solution takes constant time."""

    def __init__(self, run: Run, weight: Weight = one) -> None:
        self.run, self.weight = run, weight
        self.size = 0
        self.total = 0.0
        self.votes = defaultdict[str | None, float](float)
        self.leaders = list[str]()
        """The leading answer and the runner-up; fewer where there are fewer answers."""
        self._rank = dict[str | None, int]()
        self._chosen = dict[str | None, Node]()

    def add(self, node: Node) -> str | None:
        """Count the vote of `node`; return its answer."""
        answer = self.run.answer(node)
        self.size += 1
        self._rank.setdefault(answer, self.size)
        self._chosen[answer] = best([self._chosen.get(answer, node), node])
        if answer is not None:
            weight = self.weight(node)
            self.votes[answer] += weight
            self.total += weight
            self.leaders = sorted({*self.leaders, answer}, key=self._lead)[:2]
        return answer

    def chosen(self) -> Node:
        """Return the solution that `vote` would choose.

        Raises:
            BudgetExhausted: the budget allowed no sample.
        """
        if not self.size:
            raise BudgetExhausted("no budget is left for a sample")
        return self._chosen[self.leaders[0] if self.leaders else None]

    @property
    def lead(self) -> tuple[float, float]:
        """Votes of the leading answer and of the runner-up."""
        first, second, *_ = *(self.votes[answer] for answer in self.leaders), 0.0, 0.0
        return first, second

    def _lead(self, answer: str) -> tuple[float, int]:
        return -self.votes[answer], self._rank[answer]


async def samples(
    draw: Draw, more: Callable[[int], bool], parallel: int
) -> AsyncGenerator[Node, None]:
    """Yield samples as they arrive, up to `parallel` at once, until the budget is spent.

    `more(running)` returns True to start another sample beside `running` others. Closing the generator
    cancels the running ones, which aborts them in the engine.
    """
    running = list[asyncio.Task[list[Node]]]()
    spent = False
    try:
        while True:
            while not spent and len(running) < parallel and more(len(running)):
                running.append(asyncio.create_task(draw()))
            if not running:
                return
            await asyncio.wait(running, return_when="FIRST_COMPLETED")
            ended = [task for task in running if task.done()]
            running = [task for task in running if not task.done()]
            # The error of every one is read, or else asyncio warns of it.
            refused = [exhausted(task) for task in ended]
            spent = spent or any(refused)
            within = [task for task, over in zip(ended, refused, strict=True) if not over]
            arrived = [node for task in within for node in task.result()]
            for node in sorted(arrived, key=attrgetter("id")):
                yield node
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def exhausted(task: asyncio.Task[list[Node]]) -> bool:
    """Return True if the budget did not allow the samples of `task`."""
    return isinstance(task.exception(), BudgetExhausted)
