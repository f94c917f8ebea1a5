"""A Ray cluster whose nodes run workers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from reasoner.benchmarks.workers.messages import (
    JobOrder,
    WorkerDescription,
    WorkerLost,
    WorkerReport,
    WorkerSetup,
)
from reasoner.benchmarks.workers.placement import CPU, Resources, engine_resources, room
from reasoner.benchmarks.workers.ray_worker import RayWorker
from reasoner.benchmarks.workers.spec import AUTO, WorkersSpec
from reasoner.errors import ConfigError
from reasoner.extras import require
from reasoner.files import clipped

SILENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Environment of a Ray that does not report its use to its authors, nor warn of what it will change."""
ANSWERS = 5.0
"""Seconds in which an address must accept a connection."""
PLACED = 10.0
"""Seconds in which an engine's resources must be free."""


class RayLink:
    """A worker on a cluster, with the placement group that reserves its resources."""

    def __init__(self, actor: Any, group: Any) -> None:
        self.actor, self._group = actor, group

    async def describe(self) -> WorkerDescription:
        """Start the engine; return where it runs."""
        description: WorkerDescription = await _awaited(self.actor.describe.remote())
        return description

    async def exchange(self, orders: Sequence[JobOrder]) -> WorkerReport:
        """Begin jobs, tell that all calls of the last report are stored, and return the next one."""
        report: WorkerReport = await _awaited(self.actor.exchange.remote(orders))
        return report

    def wake(self) -> None:
        """Have the exchange under way return at once."""
        self.actor.wake.remote()

    def kill(self) -> None:
        """End the worker's process and release what it reserved."""
        import ray
        from ray.util import remove_placement_group

        with suppress(Exception):  # It may be gone, with its node or the cluster.
            ray.kill(self.actor)
            remove_placement_group(self._group)


class RayCluster:
    """Workers on a cluster that this process is connected to."""

    def __init__(self, workers: WorkersSpec, setup: WorkerSetup) -> None:
        import ray

        self._most = workers.engines
        self._engine = engine_resources(str(setup.engine["backend"]), workers, nodes())
        self._setup = ray.put(setup)
        self.links = list[RayLink]()

    async def hire(self, present: int) -> RayLink | None:
        """Return another worker beside those present; None if there is no room or need now."""
        most = room(self._engine, nodes())
        if present >= (most if self._most is None else min(most, self._most)):
            return None
        from ray.util import placement_group, remove_placement_group

        group = placement_group([self._engine], strategy="STRICT_PACK")
        if not await asyncio.to_thread(group.wait, PLACED):
            remove_placement_group(group)
            return None
        link = RayLink(self._actor(group), group)
        self.links.append(link)
        return link

    async def hire_all(self) -> list[RayLink]:
        """Return as many workers as there is room for.

        Raises:
            ConfigError: there is room for none.
        """
        links = list[RayLink]()
        while link := await self.hire(len(links)):
            links.append(link)
        if not links:
            raise ConfigError(
                f"the cluster has no room for an engine of {_amounts(self._engine)}; its nodes have"
                f" {clipped('; '.join(map(_amounts, nodes())) or 'nothing', 120)}"
            )
        return links

    def close(self) -> None:
        """End all workers."""
        for link in self.links:
            link.kill()

    def _actor(self, group: Any) -> Any:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        placed = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)
        needs = {"num_cpus": self._engine[CPU], "num_gpus": self._engine.get("GPU", 0)}
        actor = ray.remote(RayWorker).options(**needs, scheduling_strategy=placed, max_restarts=0)
        return actor.remote(self._setup)


def nodes() -> list[Resources]:
    """Return the CPUs and GPUs of each node of the cluster."""
    import ray

    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in known if node["Alive"]]


@contextmanager
def connected(workers: WorkersSpec) -> Generator[None]:
    """Connect this process to the cluster of `workers`, or to one that runs here meanwhile.

    A process that is connected already stays so.

    Raises:
        MissingPackage: Ray is not installed.
        ConfigError: there is no cluster at the address, or it runs another version.
    """
    require("ray", user="--workers ray")
    for name, value in SILENT.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield
        return
    _connect(workers)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(workers: WorkersSpec) -> None:
    address = workers.address
    if address and address != AUTO:
        _check_address(address)
    own: dict[str, Any] = (
        {} if address else {"num_cpus": _cpus(workers), "include_dashboard": False}
    )
    handlers = _handlers()
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        _init(address or "local", **own)
    except Exception as e:  # Ray has no class of its own for these.
        where = f" at {address}" if address else ""
        raise ConfigError(
            f"cannot connect to a Ray cluster{where}: {clipped(_line(e), 200)}"
        ) from e
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _init(address: str, **own: Any) -> None:
    """Connect; try again where a cluster of this machine does not start in the half minute that Ray gives it."""
    import ray

    for last in (False, False, True):
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False, **own)
            return
        except Exception as e:
            if last or "timed out during startup" not in str(e):
                raise
            ray.shutdown()


def _cpus(workers: WorkersSpec) -> int:
    """Return the CPUs to enter for a cluster of this machine alone: as many as its engines are to have."""
    asked = (workers.engines or 1) * (workers.cpus or 1.0)
    return max(os.cpu_count() or 1, int(-(-asked // 1)))


def _handlers() -> dict[int, Any]:
    """Return the handlers of signals, which Ray replaces by its own."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


def _check_address(address: str) -> None:
    """Raise unless something listens at an address: Ray would wait for a minute, then end the process.

    Raises:
        ConfigError: nothing listens there.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWERS).close()
    except (OSError, OverflowError) as e:
        raise ConfigError(
            f"no Ray cluster at {address}: {clipped(_line(e), 100)}; `ray status` on its head node tells if it runs"
        ) from e


async def _awaited(reference: Any) -> Any:
    """Return the result of an actor's call.

    Raises:
        WorkerLost: the actor, its node or its code failed.
    """
    from ray.exceptions import RayError

    try:
        return await reference
    except RayError as e:
        raise WorkerLost(clipped(_line(e), 200)) from e


def _line(error: BaseException) -> str:
    """Return the first line of a message, or the last of one that is a traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1].strip() if "Traceback" in str(error) else lines[0].strip()


def _amounts(resources: Resources) -> str:
    return " and ".join(
        f"{resources[kind]:g} {kind}" for kind in (CPU, "GPU") if resources.get(kind)
    )
