"""Run a grid of experiments on the workers of a cluster."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from reasoner.benchmarks.runner.bench import opened
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.runner.scheduler import Tally
from reasoner.benchmarks.runner.shard import Shard
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.worker_use import WorkerSession, add_session, total
from reasoner.benchmarks.workers.driver import Driver
from reasoner.benchmarks.workers.messages import WorkerSetup
from reasoner.benchmarks.workers.placement import engine_settings
from reasoner.benchmarks.workers.ray_cluster import RayCluster, connected
from reasoner.benchmarks.workers.ray_worker import version
from reasoner.benchmarks.workers.remote_worker import RemoteWorker, assembled
from reasoner.benchmarks.workers.spec import WorkersSpec
from reasoner.errors import ConfigError
from reasoner.options import CONCURRENCY


async def run(
    grid: Grid,
    out: Path,
    solvers: Solvers,
    workers: WorkersSpec,
    *,
    model: str | None,
    engine: Mapping[str, Any],
    concurrency: int = CONCURRENCY,
    environment: Mapping[str, Any] = {},
    shard: Shard = Shard(),
    meter: Meter | None = None,
) -> Tally:
    """Attempt every problem that `out` has no record of, `concurrency` of them at each engine.

    `solvers` are for the driver alone: each worker builds its own, and a backend from `model` and `engine`.

    Raises:
        ConfigError: the cluster, the model or the components do not suit; nothing is sampled then.
        AccessDenied: a server refuses every problem.
        StoreError: the database cannot be written, is corrupt or in use.
        BackendError: every problem fails, or no worker is left.
    """
    setup = WorkerSetup(grid, model, engine_settings(engine), solvers.examples, version())
    async with staffed(workers, setup) as (present, cluster):
        about = {**environment, "nodes": nodes_of(present)}
        with (
            opened(grid, out, solvers, environment=about, shard=shard) as work,
            meter or Meter() as bar,
        ):
            if work.ledger:
                raise ConfigError(
                    "the run has a total budget, which one process keeps; leave out --workers"
                )
            driver = Driver(
                work, present, cluster, concurrency=concurrency, use=solvers.engine_use, bar=bar
            )
            bar.add_detail(driver.detail)
            try:
                return await driver.run()
            finally:
                save_use(driver.past, out, str(environment.get("date", "")), bar)


@asynccontextmanager
async def staffed(
    workers: WorkersSpec, setup: WorkerSetup
) -> AsyncGenerator[tuple[list[RemoteWorker], RayCluster]]:
    """Start workers on their cluster, and end them afterwards.

    Raises:
        ConfigError: the cluster or its workers do not suit.
    """
    with connected(workers):
        cluster = RayCluster(workers, setup)
        try:
            yield await assembled(await cluster.hire_all()), cluster
        finally:
            cluster.close()


def nodes_of(workers: Sequence[RemoteWorker]) -> list[dict[str, Any]]:
    """Return each node with its number of engines, in the order of their workers."""
    hosts = dict[str, dict[str, Any]]()
    for worker in workers:
        host = worker.description.host
        node = hosts.setdefault(host, {"node": host, "engines": 0, **worker.description.node})
        node["engines"] += 1
    return list(hosts.values())


def save_use(workers: Sequence[RemoteWorker], out: Path, date: str, bar: Meter) -> None:
    """Enter what each worker did in `workers.json`, and log it."""
    uses = [worker.use for worker in workers]
    add_session(WorkerSession(date=date, workers=tuple(uses)), out)
    for use in (*uses, *([total(uses)] if len(uses) > 1 else [])):
        bar.say(str(use))
