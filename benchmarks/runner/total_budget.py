"""One budget for all problems of a run.

Each model call of each problem is admitted by the ledger of the whole run too, just above the engine. Calls
that are answered from the log never come there: they were paid when they were first made, and are part of
what the run has spent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from math import inf

from reasoner.backends.wrapper import Wrapping
from reasoner.base import Backend, Halt, Verifier
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.price import Price
from reasoner.benchmarks.store.spending import Spending, is_counted
from reasoner.budget import GENERATOR, VERIFIER, Budget, Fit, Hold, Ledger, Room, T, negative
from reasoner.errors import BudgetExhausted
from reasoner.metered import Metered
from reasoner.types import (
    Candidate,
    Finish,
    Generation,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Usage,
)


@dataclass(frozen=True, slots=True)
class PricedRoom(Room):
    """The remainder of a budget, the money for calls of one role included."""

    cost: float = inf
    price: Callable[[Usage], float] = lambda _: 0.0

    def holds(self, usage: Usage) -> bool:
        """Return True if `usage` fits in this room."""
        return Room.holds(self, usage) and self.price(usage) <= self.cost


class RunLedger(Ledger):
    """The ledger of a whole run, which outlives its sessions.

    The ceilings are of `tokens`, `flops` and `cost`. What is spent and held is stored before a call
    starts, so that also `kill -9` in the middle of calls returns nothing to the budget.
    """

    def __init__(self, ceilings: Mapping[str, float], price: Price, spending: Spending) -> None:
        tokens = ceilings.get("tokens")
        super().__init__(Budget(None if tokens is None else int(tokens), ceilings.get("flops")))
        self._ceiling, self._price, self._spending = ceilings.get("cost", inf), price, spending
        self._paid = spending.read()
        self._in_flight = dict[str, Usage]()
        self.spent = sum(self._paid.values(), Usage())

    @asynccontextmanager
    async def reserve(
        self, role: str, fit: Fit[T], failed: Usage = Usage()
    ) -> AsyncGenerator[Hold[T]]:
        """Hold the worst case of a call, its price included, while it runs; see `Ledger.reserve`."""

        def priced(room: Room, final: bool) -> tuple[T, Usage] | None:
            kinds = room.tokens, room.flops, room.requests
            price = partial(self._price.of_usage, role)
            return fit(PricedRoom(*kinds, self._ceiling - self.cost, price), final)

        async with super().reserve(role, priced, failed) as hold:
            yield hold

    @property
    def cost(self) -> float:
        """Return the price of what is spent and held."""
        usages = *self._paid.items(), *self._in_flight.items()
        return sum(self._price.of_usage(role, usage) for role, usage in usages)

    def charge(self, role: str, usage: Usage, seconds: float = 0.0) -> None:
        """Enter the usage of a call; raises as `Ledger.charge`."""
        super().charge(role, usage, seconds)
        self.entries.clear()  # A run has millions of calls; each problem's ledger has its own.
        self._paid[role] = self._paid.get(role, Usage()) + usage
        self._save(role)

    def _hold(self, role: str, worst: Usage) -> None:
        super()._hold(role, worst)
        self._in_flight[role] = self._in_flight.get(role, Usage()) + worst
        self._save(role)

    def _release(self, role: str, worst: Usage) -> None:
        super()._release(role, worst)
        self._in_flight[role] += negative(worst)
        if not self._holders:
            self._in_flight.clear()

    def _save(self, role: str) -> None:
        held = self._in_flight.get(role, Usage())
        self._spending.save(role, self._paid.get(role, Usage()), held)


class Allowance:
    """One problem's access to the ledger of the whole run; `refused` once that had no room for a call."""

    def __init__(self, ledger: RunLedger) -> None:
        self.ledger, self.refused = ledger, False

    async def score(
        self, verifier: Verifier, problem: Problem, candidates: Sequence[Candidate]
    ) -> Judgement:
        """Have a verifier with a model of its own score candidates.

        Raises:
            BudgetExhausted: the run's budget does not admit it.
        """
        worst = verifier.estimate(problem, candidates)

        def fit(room: Room, _: bool) -> tuple[None, Usage] | None:
            return (None, worst) if room.holds(worst) else None

        try:
            async with self.ledger.reserve(VERIFIER, fit) as hold:
                judgement = await verifier.score(problem, candidates)
                hold.usage = judgement.usage
        except BudgetExhausted:
            self.refused = True
            raise
        return judgement


class BudgetedModel(Wrapping):
    """`backend` on the ledger of a whole run: it returns fewer or shorter samples as that budget closes."""

    def __init__(self, backend: Backend, allowance: Allowance, role: str = GENERATOR) -> None:
        super().__init__(backend)
        self._allowance = allowance
        self._metered = Metered(backend, allowance.ledger, role)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Continue `prompt`.

        Raises:
            BudgetExhausted: the run's budget does not admit it.
        """
        return await self._sample(prompt, sampling)

    async def aclose(self) -> None:
        """Nothing: the engine is shared."""

    async def _watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        return await self._sample(prompt, sampling, halt)

    async def _sample(
        self, prompt: Prompt, sampling: Sampling, halt: Halt | None = None
    ) -> Generation:
        try:
            length = self.prompt_length(prompt)
            generation = await self._metered.sample(prompt, length, sampling, halt=halt)
        except BudgetExhausted:
            self._allowance.refused = True
            raise
        cut = (c for c in generation.completions if c.finish is Finish.LENGTH)
        if any(len(c.token_ids) < sampling.max_tokens for c in cut):
            self._allowance.refused = True
        return generation


def run_ledger(grid: Grid, database: Database) -> RunLedger | None:
    """Return the ledger of the run in `database`, if it has a total budget or once had one.

    Raises:
        StoreError: it has results whose cost was not counted.
    """
    if not grid.total_budget and not is_counted(database):
        return None
    return RunLedger(grid.total_budget, Price(**grid.price), Spending(database))
