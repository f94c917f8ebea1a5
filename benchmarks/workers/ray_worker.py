"""A worker as a Ray actor, and its components built from the setup."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reasoner.api import EMBEDDED, open_backend
from reasoner.base import start
from reasoner.benchmarks.runner.bench import check
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.store.environment import describe
from reasoner.benchmarks.workers.messages import (
    JobOrder,
    WorkerDescription,
    WorkerReport,
    WorkerSetup,
)
from reasoner.benchmarks.workers.worker import EngineWorker
from reasoner.errors import ConfigError, ReasonerError
from reasoner.extras import DISTRIBUTION


class RayWorker:
    """An actor with one worker, which is built when it is asked to describe itself."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._worker: EngineWorker | None = None

    async def describe(self) -> WorkerDescription:
        """Build the worker and start its engine; return where it runs, or why it cannot work."""
        host = platform.node()
        try:
            self._worker = await built(self._setup)
        except ReasonerError as e:
            return WorkerDescription(host, refusal=str(e))
        except Exception as e:
            return WorkerDescription(host, refusal=f"{type(e).__name__}: {e}")
        return WorkerDescription(host, node())

    async def exchange(self, orders: Sequence[JobOrder]) -> WorkerReport:
        """Exchange orders for the next report."""
        return await self._ready.exchange(orders)

    async def wake(self) -> None:
        """Have the exchange under way return at once."""
        self._ready.wake()

    @property
    def _ready(self) -> EngineWorker:
        assert self._worker
        return self._worker


async def built(setup: WorkerSetup) -> EngineWorker:
    """Return a worker whose engine runs.

    Raises:
        ConfigError: the program, the model or its weights are not the driver's.
    """
    check_version(setup.version, version())
    check_weights(setup.grid.weights, setup.model)
    check_weights(setup.grid.second_weights, setup.grid.second)
    second = open_backend(setup.grid.second, **setup.engine) if setup.grid.second else None
    solvers = Solvers(setup.grid, examples=setup.examples, second=second)
    backend = open_backend(setup.model, **setup.engine)
    await check(solvers, backend)
    await start(backend)
    return EngineWorker(setup.grid, solvers, backend)


def version() -> dict[str, Any]:
    """Return the version and the commit of this program."""
    about = describe([])
    return {"version": about["packages"].get(DISTRIBUTION), "commit": about["commit"]}


def node() -> dict[str, Any]:
    """Return hardware and packages of this machine, as environment.json has them."""
    about = describe([])
    return {part: about[part] for part in ("hardware", "packages", "python", "commit")}


def check_version(driver: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Raise unless driver and worker run the same program; a commit that is not known fits any.

    Raises:
        ConfigError: they do not.
    """
    for part in ("version", "commit"):
        wanted, found = driver.get(part), here.get(part)
        if wanted != found and wanted and found:
            raise ConfigError(
                f"{DISTRIBUTION} has {part} {found} there, and {wanted} at the driver; install the same on"
                " every node"
            )


def check_weights(wanted: str, model: str | None) -> None:
    """Raise unless a model's weights here are those of the driver.

    Raises:
        ConfigError: they are others, or missing.
    """
    if not wanted:
        return
    from reasoner.backends.checkpoint import fingerprint
    from reasoner.models.local import local_model

    found = fingerprint(Path(local_model(model or str(EMBEDDED))).expanduser())
    if found != wanted:
        raise ConfigError(
            f"the weights of {model or 'the embedded GPT'} are {found or 'missing'} there, and {wanted} at the"
            " driver; put the same model at the same path on every node"
        )
