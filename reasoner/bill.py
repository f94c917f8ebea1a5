"""The bill of a call under way: what its requests have cost so far, should the call fail as a whole.

A call may consist of several paid requests: the samples of a server that is asked for each, or the
questions of a verifier. If one of them fails, the others were paid nevertheless. Each writes its cost on
the bill of the call that it is part of, and the ledger charges the bill where the call has no result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from reasoner.types import Usage


class Priced(Protocol):
    """A result with its cost."""

    @property
    def usage(self) -> Usage:
        """The cost."""
        ...


P = TypeVar("P", bound=Priced)

_bill: ContextVar[list[Usage] | None] = ContextVar("bill", default=None)
"""The bill of the innermost call under way; tasks that a call starts write on the same one."""


@contextmanager
def new_bill() -> Generator[list[Usage]]:
    """Open a bill, which is yielded, for the requests within the block."""
    items = list[Usage]()
    token = _bill.set(items)
    try:
        yield items
    finally:
        _bill.reset(token)


def add_to_bill(usage: Usage) -> None:
    """Write the cost of a request on the bill of the call under way, if there is one."""
    if (items := _bill.get()) is not None and usage != Usage():
        items.append(usage)


async def billed(call: Awaitable[P], lost: Callable[[Usage], None] | None = None) -> P:
    """Await a part of a call, and write its cost on the call's bill: the result's, or what a failure cost.

    `lost` is called with the cost of a failure.
    """
    cost = Usage()
    try:
        with new_bill() as items:
            try:
                result = await call
                cost = result.usage
            except BaseException:
                cost = total(items)
                if lost:
                    lost(cost)
                raise
    finally:
        add_to_bill(cost)
    return result


def total(items: list[Usage]) -> Usage:
    """Return the sum of a bill."""
    return sum(items, Usage())
