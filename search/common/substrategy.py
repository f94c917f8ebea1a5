"""A strategy inside another: in the same tree, on a part of the budget."""

import asyncio

from reasoner.concurrency import unwrapped
from reasoner.errors import BudgetExhausted
from reasoner.registry import strategies
from reasoner.run import Run, Strategy
from reasoner.trace import Node


def make(name: str, n: int) -> Strategy:
    """The strategy called `name`, of size `n`."""
    strategy: Strategy = strategies.make(name, n=n)
    return strategy


async def attempt(run: Run, part: Run, strategy: Strategy) -> Node | None:
    """Search in `part`, one of `run.sub_run`; what is found is scored, and offered if it is better.

    Where the part's budget ends, only the part does.
    """
    try:
        await _search(part, strategy)
        if run.verified and (found := part.conclude()):
            await run.score([found])
    finally:  # What was found stays an answer when the whole run is cut short.
        if part.clipped:
            run.mark_clipped()
        if found := part.conclude():
            run.offer_if_better([found])
    return found


async def _search(part: Run, strategy: Strategy) -> None:
    deadline = asyncio.timeout(part.ledger.budget.seconds)
    try:
        async with deadline:
            with part.ledger.clock.keeping(deadline):
                part.offer(await unwrapped(strategy.search(part)))
    except BudgetExhausted:
        part.mark_clipped()
    except TimeoutError:
        if not deadline.expired():
            raise
        part.mark_clipped()


def answered(run: Run) -> Node:
    """The best answer offered.

    Raises:
        BudgetExhausted: there is none.
    """
    if run.incumbent is None:
        raise BudgetExhausted("no step could be sampled")
    return run.incumbent
