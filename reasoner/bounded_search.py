"""A strategy's search, ended by its budget."""

from __future__ import annotations

import asyncio

from reasoner.concurrency import unwrapped
from reasoner.errors import BudgetExhausted
from reasoner.events import Stopped
from reasoner.run import Run, Strategy


async def bounded_search(strategy: Strategy, run: Run) -> Stopped:
    """Search until the strategy or the budget of `run` ends, and offer the strategy's answer.

    The budget ends a search when its tokens, FLOPs or requests run out, or at its deadline; either
    way `run.clipped` is set. A `TimeoutError` from elsewhere is raised.
    """
    deadline = asyncio.timeout(run.ledger.budget.seconds)
    try:
        async with deadline:
            with run.ledger.clock.keeping(deadline):
                run.offer(await unwrapped(strategy.search(run)))
    except BudgetExhausted:
        run.mark_clipped()
    except TimeoutError:
        if not deadline.expired():
            raise
        run.mark_clipped()
    return Stopped.BUDGET if run.clipped else Stopped.DONE
