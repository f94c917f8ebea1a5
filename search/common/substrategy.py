"""A strategy inside another: in the same tree, on a part of the budget."""

from reasoner.bounded_search import bounded_search
from reasoner.errors import BudgetExhausted
from reasoner.registry import strategies
from reasoner.run import Run, Strategy
from reasoner.trace import Node


def make(name: str, n: int) -> Strategy:
    """Return the strategy `name` with size `n`."""
    strategy: Strategy = strategies.make(name, n=n)
    return strategy


async def attempt(run: Run, part: Run, strategy: Strategy) -> Node | None:
    """Search in `part`, a sub-run of `run`; score its answer, and offer it if it is better.

    The end of the part's budget ends only the part.
    """
    try:
        await bounded_search(strategy, part)
        if run.verified and (node := part.conclude()):
            await run.score([node])
    finally:  # The part's answer counts even when the whole run is cut short.
        if part.clipped:
            run.mark_clipped()
        if node := part.conclude():
            run.offer_if_better([node])
    return node


def answered(run: Run) -> Node:
    """Return the best answer offered.

    Raises:
        BudgetExhausted: there is none.
    """
    if run.incumbent is None:
        raise BudgetExhausted("no step could be sampled")
    return run.incumbent
