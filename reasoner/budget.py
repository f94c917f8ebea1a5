"""Budgets of a run, and the ledger of its spending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Generic, TypeVar

from reasoner.base import ModelInfo
from reasoner.bill import add_to_bill, new_bill, total
from reasoner.clock import Clock
from reasoner.errors import BackendError, BudgetExhausted, ConfigError
from reasoner.telemetry import annotate, span, usage_attributes
from reasoner.types import Sampling, Usage

GENERATOR, SECOND, VERIFIER = "generator", "second", "verifier"


@dataclass(frozen=True, slots=True)
class Budget:
    """Ceilings for one problem; `None` means no ceiling.

    `tokens` counts every decoded token, the generator's and the verifier's. `flops` counts both
    roles too, prompts included. A call is admitted at its worst case before it starts, so a
    ceiling is never passed.
    """

    tokens: int | None = None
    flops: float | None = None
    seconds: float | None = None
    requests: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value: object = getattr(self, field.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and 0 < value < inf):  # type: ignore[operator]
                raise ConfigError(
                    f"budget {field.name}={value!r} is not a positive number;"
                    " leave it out (None) for no ceiling"
                )


@dataclass(frozen=True, slots=True)
class Room:
    """The remainder of a budget; infinite where there is no ceiling."""

    tokens: float = inf
    flops: float = inf
    requests: float = inf

    def within(self, other: Room) -> Room:
        """Return the smaller remainder of each kind."""
        return Room(
            min(self.tokens, other.tokens),
            min(self.flops, other.flops),
            min(self.requests, other.requests),
        )

    def holds(self, usage: Usage) -> bool:
        """Return True if `usage` fits in this room."""
        return (
            usage.completion_tokens <= self.tokens
            and usage.flops <= self.flops
            and usage.requests <= self.requests
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One paid call: it ended `elapsed` seconds into the run, and took `seconds`."""

    role: str
    usage: Usage
    elapsed: float
    seconds: float = 0.0


T = TypeVar("T")

Fit = Callable[[Room, bool], tuple[T, Usage] | None]
"""Cut a request to a room: return the admitted request and its worst case, or None if nothing fits.

The flag is True if no other call holds budget, so that no more room than this will come.
"""


@dataclass(slots=True)
class Hold(Generic[T]):
    """An admitted call: the request that was granted, and finally its spending.

    `usage` is initially the cost of a call that fails or is cancelled, where its bill is empty.
    """

    granted: T
    usage: Usage


class Ledger:
    """Append-only account of every model call in a run.

    Calls are admitted at their worst case before they start, so concurrent calls can never
    overspend together; the unused part returns when a call settles.
    """

    def __init__(self, budget: Budget = Budget(), clock: Clock | None = None) -> None:
        self.budget, self.clock = budget, clock or Clock()
        self.entries: list[Entry] = []
        self.spent = Usage()
        self._held = Usage()
        self._holders = 0
        self._start = self.clock.elapsed if clock else 0.0
        self._settled = asyncio.Event()

    @property
    def elapsed(self) -> float:
        return self.clock.elapsed - self._start

    @property
    def total(self) -> Usage:
        """Return the usage of the whole run."""
        return self.spent

    def part(self, share: float, time: float) -> Ledger:
        """Return a ledger within this one: `share` of the remaining budget, `time` of the remaining seconds."""
        return Part(self, self._share(share, time))

    def spent_by(self, role: str) -> Usage:
        return sum((e.usage for e in self.entries if e.role == role), Usage())

    @property
    def by_role(self) -> dict[str, Usage]:
        return {role: self.spent_by(role) for role in dict.fromkeys(e.role for e in self.entries)}

    @property
    def room(self) -> Room:
        """Return the budget less what is spent and held."""
        b, used = self.budget, self.spent + self._held
        return Room(
            inf if b.tokens is None else b.tokens - used.completion_tokens,
            inf if b.flops is None else b.flops - used.flops,
            inf if b.requests is None else b.requests - used.requests,
        )

    @asynccontextmanager
    async def reserve(
        self, role: str, fit: Fit[T], failed: Usage = Usage()
    ) -> AsyncGenerator[Hold[T]]:
        """Hold the worst case of a call while it runs, then charge its usage.

        Waits while other calls hold budget that may come back. A call that fails or is cancelled is
        charged its bill (see `bill`), or `failed` where nothing is on it; one that another ledger refuses
        costs nothing more than its bill.

        Raises:
            BudgetExhausted: the remaining budget does not admit the call.
            BackendError: the call reports an impossible usage, and is charged its worst case.
        """
        granted, worst = await self._admit(fit)
        hold, began = Hold(granted, failed), self.elapsed
        self._hold(role, worst)
        try:
            with span(role), _reported(hold):
                items = list[Usage]()
                try:
                    with new_bill() as items:
                        yield hold
                except BaseException as e:
                    refused = isinstance(e, BudgetExhausted)
                    hold.usage = failed_usage(Usage() if refused else failed, items)
                    add_to_bill(total(items))  # Of a call that this one is part of.
                    raise
        finally:
            self._release(role, worst)
            usage = hold.usage if possible(hold.usage) else worst
            self.charge(role, usage, self.elapsed - began)
        if usage is not hold.usage:
            raise BackendError(
                f"a call cannot have spent {hold.usage}; its worst case {worst} was charged"
            )

    def charge(self, role: str, usage: Usage, seconds: float = 0.0) -> None:
        """Enter the usage of a call that took `seconds`.

        Raises:
            BackendError: no call can have this usage; spending is never returned.
        """
        if not possible(usage):
            raise BackendError(f"a call cannot have spent {usage}")
        if usage != Usage():
            self.entries.append(Entry(role, usage, self.elapsed, seconds))
            self.spent += usage
        self._settled.set()
        self._settled = asyncio.Event()

    async def _admit(self, fit: Fit[T]) -> tuple[T, Usage]:
        while True:
            if self.budget.seconds is not None and self.elapsed >= self.budget.seconds:
                raise BudgetExhausted(f"the time budget of {self.budget.seconds} s is spent")
            if admitted := fit(self.room, not self._busy):
                return admitted
            if not self._busy:
                raise BudgetExhausted(f"{self.budget} is spent: {self.spent}")
            await self._wait()

    @property
    def _busy(self) -> bool:
        """Return True if calls are running whose budget may come back."""
        return self._holders > 0

    async def _wait(self) -> None:
        await self._settled.wait()

    def _share(self, share: float, time: float) -> Budget:
        room, b = self.room, self.budget
        return Budget(
            None if b.tokens is None else max(1, int(share * room.tokens)),
            None if b.flops is None else max(1.0, share * room.flops),
            None if b.seconds is None else max(1e-9, time * (b.seconds - self.elapsed)),
            None if b.requests is None else max(1, int(share * room.requests)),
        )

    def _hold(self, role: str, worst: Usage) -> None:
        self._held += worst
        self._holders += 1

    def _release(self, role: str, worst: Usage) -> None:
        self._holders -= 1
        # Starting afresh at zero keeps rounding of the FLOPs from piling up.
        self._held = self._held + negative(worst) if self._holders else Usage()


class Part(Ledger):
    """A share of another ledger: calls are held and charged in both."""

    def __init__(self, whole: Ledger, budget: Budget) -> None:
        super().__init__(budget, whole.clock)
        self._whole = whole

    @property
    def total(self) -> Usage:
        return self._whole.total

    @property
    def room(self) -> Room:
        return super().room.within(self._whole.room)

    def charge(self, role: str, usage: Usage, seconds: float = 0.0) -> None:
        super().charge(role, usage, seconds)
        self._whole.charge(role, usage, seconds)

    @property
    def _busy(self) -> bool:
        return self._whole._busy

    async def _wait(self) -> None:
        await self._whole._wait()

    def _hold(self, role: str, worst: Usage) -> None:
        super()._hold(role, worst)
        self._whole._hold(role, worst)

    def _release(self, role: str, worst: Usage) -> None:
        super()._release(role, worst)
        self._whole._release(role, worst)


@contextmanager
def _reported(hold: Hold[T]) -> Generator[None]:
    """Write the usage of a call on its span once the call ends."""
    try:
        yield
    finally:
        annotate(lambda: usage_attributes(hold.usage))


def failed_usage(least: Usage, items: list[Usage]) -> Usage:
    """Return the cost of a failed call: that of its bill, or `least` where nothing is on it."""
    paid = total(items)
    if not possible(paid) or paid == Usage():
        return least
    return replace(paid, requests=least.requests or paid.requests)


def possible(usage: Usage) -> bool:
    """Return True if a call can have this usage: not negative, finite, no part larger than its whole."""
    counts = (
        usage.requests, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens,
        usage.estimated_tokens,
    )  # fmt: skip
    thinking = 0 <= usage.thinking_estimated <= usage.thinking_tokens <= usage.completion_tokens
    return min(counts) >= 0 and 0 <= usage.flops < inf and usage.fresh_tokens >= 0 and thinking


def negative(usage: Usage) -> Usage:
    """Return `usage` with every sign reversed."""
    return Usage(
        -usage.requests,
        -usage.prompt_tokens,
        -usage.cached_tokens,
        -usage.completion_tokens,
        -usage.flops,
        -usage.estimated_tokens,
        -usage.thinking_tokens,
        -usage.thinking_estimated,
    )


def worst_case(sampling: Sampling, prompt: int, model: ModelInfo) -> Usage:
    """Return the most that sampling after `prompt` tokens may cost: no cached token, no early end."""
    n, tokens = sampling.n, sampling.max_tokens
    return Usage(1, n * prompt, 0, n * tokens, n * model.flops(0, prompt + tokens))


def clip(sampling: Sampling, prompt: int, model: ModelInfo) -> Fit[Sampling]:
    """Cut `n`, and as a last resort `max_tokens`, to the available room."""

    def fits(n: int, length: int, room: Room) -> bool:
        return room.holds(worst_case(replace(sampling, n=n, max_tokens=length), prompt, model))

    def fit(room: Room, final: bool) -> tuple[Sampling, Usage] | None:
        n = largest(sampling.n, lambda k: fits(k, sampling.max_tokens, room))
        length = sampling.max_tokens
        if not n and final:
            n, length = 1, largest(length, lambda k: fits(1, k, room))
        if not n or not length:
            return None
        granted = replace(sampling, n=n, max_tokens=length)
        return granted, worst_case(granted, prompt, model)

    return fit


def largest(high: int, holds: Callable[[int], bool]) -> int:
    """Return the largest count up to `high` that holds, 0 if none does; `holds` must be monotone."""
    if high > 0 and holds(high):
        return high
    low = 0
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
