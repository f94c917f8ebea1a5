"""Workers in this process, which can be lost at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.runner.bench import opened
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.runner.scheduler import Tally
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.workers.driver import Driver
from reasoner.benchmarks.workers.messages import (
    JobOrder,
    WorkerDescription,
    WorkerLost,
    WorkerReport,
)
from reasoner.benchmarks.workers.remote_worker import assembled
from reasoner.benchmarks.workers.worker import EngineWorker
from tests.benchmarks.conftest import Sums
from tests.benchmarks.tables import sql

EACH = "CREATE TRIGGER each_call AFTER INSERT ON calls BEGIN"
EACH += " INSERT INTO answered VALUES (new.key, new.problem, new.call); END"
ANSWERED = "SELECT key, problem, call FROM answered ORDER BY key, problem, call"


class LocalLink:
    """A worker in this process; `lose` ends it as a node's end would."""

    def __init__(
        self, worker: EngineWorker, *, life: int | None = None, refusal: str = "", pause: float = 0
    ) -> None:
        self.worker, self.life, self.refusal, self.pause = worker, life, refusal, pause
        self.lost = asyncio.Event()
        self.killed = False
        self.orders = list[JobOrder]()

    async def describe(self) -> WorkerDescription:
        """Tell that it is here."""
        return WorkerDescription("here", {"python": "3"}, self.refusal)

    async def exchange(self, orders: Sequence[JobOrder]) -> WorkerReport:
        """Exchange, unless it is lost meanwhile; after `life` reports it is."""
        self.orders += orders
        exchange = asyncio.create_task(self.worker.exchange(orders))
        loss = asyncio.create_task(self.lost.wait())
        await asyncio.wait([exchange, loss], return_when=asyncio.FIRST_COMPLETED)
        loss.cancel()
        if self.life is not None:
            self.life -= 1
        if self.lost.is_set() or (self.life is not None and self.life < 0):
            exchange.cancel()
            await self.worker.aclose()
            raise WorkerLost("it is gone")
        await asyncio.sleep(self.pause)  # The way back.
        return await exchange

    def wake(self) -> None:
        """Have it return."""
        self.worker.wake()

    def kill(self) -> None:
        """Note it."""
        self.killed = True


class Crew:
    """A run on workers in this process. `later` are those that join one by one."""

    def __init__(
        self, out: Path, links: Sequence[LocalLink], later: Sequence[LocalLink] = (), **grid: Any
    ) -> None:
        self.out, self.links, self.later = out, list(links), list(later)
        self.grid = grid_of(**grid)

    async def hire(self, present: int) -> LocalLink | None:
        """Return the next of `later`."""
        return self.later.pop(0) if self.later else None

    async def run(self, concurrency: int = 4) -> Tally:
        """Attempt what is missing."""
        solvers = Solvers(self.grid, {"sums": Sums()})
        with opened(self.grid, self.out, solvers) as work, Meter() as bar:
            workers = await assembled(self.links)
            self.driver = Driver(
                work, workers, self, concurrency=concurrency, use=solvers.engine_use, bar=bar
            )
            try:
                return await self.driver.run()
            finally:
                for link in self.links:
                    await link.worker.aclose()


def grid_of(**grid: Any) -> Grid:
    """Return a grid over `Sums` with searches that make many calls."""
    usual = {"tasks": ["sums"], "ns": [4], "search_ns": [4], "problems": 10, "backend": "scripted"}
    return Grid.model_validate({**usual, **grid})


def link(backend: Scripted | None = None, *, grid: Any = None, **how: Any) -> LocalLink:
    """Return a worker on a scripted engine."""
    asked = grid_of(**(grid or {}))
    worker = EngineWorker(asked, Solvers(asked, {"sums": Sums()}), backend or Scripted())
    return LocalLink(worker, **how)


def noting(out: Path) -> Path:
    """Prepare a folder where every call that is kept is noted in a table of its own."""
    Database(out).close()
    sql(out, "CREATE TABLE answered (key, problem, call)")
    sql(out, EACH)
    return out
