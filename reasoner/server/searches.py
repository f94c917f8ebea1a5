"""Searches of requests: admitted, run, charged and counted, and cancelled when the client goes away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from reasoner.base import Backend
from reasoner.concurrency import gather
from reasoner.events import Event, Result, StepSampled
from reasoner.server.admission import Admission
from reasoner.server.api_errors import as_api_error
from reasoner.server.metrics import Metrics
from reasoner.server.search_plans import SearchPlan
from reasoner.solving import solve

logger = logging.getLogger(__name__)

T = TypeVar("T")
Listen = Callable[[Event], None]


class Disconnected(Exception):
    """The client has gone away; nobody reads a reply."""


@dataclass(frozen=True, slots=True)
class Searches:
    """Runs searches on one backend."""

    backend: Backend
    admission: Admission
    metrics: Metrics
    second: Backend | None = None

    async def run(self, plan: SearchPlan, key: str, listen: Listen = lambda _: None) -> Result:
        """Return the result of a search.

        Raises:
            ApiError: it was not admitted, or the model failed before there was a solution.
        """
        async with self.admission.admitted(key):
            began, decoded = time.monotonic(), 0

            def heard(event: Event) -> None:
                nonlocal decoded
                if isinstance(event, StepSampled) and event.node.completion:
                    if not decoded:
                        self.metrics.first(plan.name, time.monotonic() - began)
                    decoded += event.node.completion.sampled_tokens
                listen(event)

            try:
                result = await self._solve(plan, heard)
            except asyncio.CancelledError:  # Its ledger is gone with it; what was sampled is known.
                self.metrics.cancelled(plan.name, decoded)
                self.admission.charge(key, decoded)
                raise
            self.metrics.searched(plan.name, result)
            usage = result.usage
            self.admission.charge(key, usage.prompt_tokens + usage.completion_tokens)
        if result.candidate is None and result.cause:
            logger.error("a search failed: %s", result.error)
            raise as_api_error(result.cause, spent=usage.completion_tokens > 0)
        return result

    async def run_all(
        self, plan: SearchPlan, count: int, key: str, listen: Listen = lambda _: None
    ) -> list[Result]:
        """Return the results of `count` independent searches; one that fails ends the others."""
        plans = [plan.again(i) for i in range(count)]
        return await gather(
            self.run(p, key, listen if not i else _ignore) for i, p in enumerate(plans)
        )

    async def _solve(self, plan: SearchPlan, listen: Listen) -> Result:
        return await solve(
            plan.problem,
            plan.strategy,
            self.backend,
            plan.verifier,
            budget=plan.budget,
            sampling=plan.sampling,
            extract=plan.extract,
            seed=plan.seed,
            listen=listen,
            second=self.second,
            raising=False,
        )


def _ignore(_: Event) -> None:
    """Do nothing with an event."""


async def unless_gone(work: Awaitable[T], gone: Awaitable[object]) -> T:
    """Return what `work` returns; cancel it as soon as `gone` returns.

    Raises:
        Disconnected: it was cancelled.
        ApiError: it failed.
    """
    search, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone)
    try:
        await asyncio.wait({search, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if search.done():
            return search.result()
        raise Disconnected
    finally:
        for task in (search, leaving):
            task.cancel()
        await asyncio.gather(search, leaving, return_exceptions=True)
