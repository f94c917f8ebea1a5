"""The spending of a run with a total budget, and the problems that it left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reasoner.benchmarks.store.price import Price
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.spending import read_spending
from reasoner.events import Stopped
from reasoner.types import Usage


@dataclass(frozen=True, slots=True)
class TotalSpending:
    """The ceilings and the spending of a run, by kind.

    The budget ended `ended` searches; another `unreached` attempts got nothing, and have no answer.
    """

    ceilings: Mapping[str, float]
    spent: Mapping[str, float]
    ended: int
    unreached: int

    def __str__(self) -> str:
        spent = ", ".join(
            f"{self.spent[kind]:,.6g} of {most:,.6g} {kind}" for kind, most in self.ceilings.items()
        )
        return (
            f"total budget: {spent} spent; it ended {self.ended} searches, and {self.unreached} more"
            " attempts got nothing"
        )


def total_spending(run: RunFolder) -> TotalSpending | None:
    """Return the spending of a run with a total budget."""
    if not run.grid.total_budget:
        return None
    by_role, price = read_spending(run.path), Price(**run.grid.price)
    usage = sum(by_role.values(), Usage())
    stopped = [
        record.spend.generated_tokens > 0
        for spec in run.grid.specs()
        for record in run.records(spec)
        if record.stopped == Stopped.TOTAL
    ]
    spent = {
        "tokens": usage.completion_tokens,
        "flops": usage.flops,
        "cost": sum(price.of_usage(role, spent) for role, spent in by_role.items()),
    }
    return TotalSpending(run.grid.total_budget, spent, sum(stopped), len(stopped) - sum(stopped))
