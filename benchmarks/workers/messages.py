"""Messages between a driver and its workers. Ray pickles them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from reasoner.base import Example
from reasoner.benchmarks.store.call_log import StoredCall
from reasoner.benchmarks.store.engine_throughput import CallTime
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.search_trees import Tree
from reasoner.errors import ReasonerError


class WorkerLost(ReasonerError):
    """A worker's process, node or engine is gone, with its problems under way."""


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """The grid, the model and the problems of a run, from which a worker builds its components.

    `engine` are the arguments of `open_backend`, for `model` and for the grid's second one; `version` is that
    of the driver's program.
    """

    grid: Grid
    model: str | None
    engine: Mapping[str, Any]
    examples: Mapping[str, Sequence[Example]]
    version: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WorkerDescription:
    """The node of a worker, as environment.json has it; or the reason why it cannot work."""

    host: str = ""
    node: Mapping[str, Any] = field(default_factory=dict[str, Any])
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job for a worker: its number, its experiment, the place of its problem, and its calls so far."""

    number: int
    key: str
    index: int
    earlier: Sequence[StoredCall] = ()


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A result, by the number of its job."""

    number: int
    record: Record
    tree: Tree | None


@dataclass(slots=True)
class WorkerReport:
    """Events since the last report.

    No search goes on from `calls`, each with the number of its job, before the next exchange tells that
    they are stored. `lost` is why the engine is given up, and `denied` why the whole run is.
    """

    calls: list[tuple[int, StoredCall]] = field(default_factory=list[tuple[int, StoredCall]])
    finished: list[FinishedJob] = field(default_factory=list[FinishedJob])
    times: list[CallTime] = field(default_factory=list[CallTime])
    lines: list[str] = field(default_factory=list[str])
    lost: str = ""
    denied: str = ""


class WorkerLink(Protocol):
    """A worker, from the driver's side."""

    async def describe(self) -> WorkerDescription:
        """Start the engine; return where it runs.

        Raises:
            WorkerLost: the worker is gone; so do the others.
        """
        ...

    async def exchange(self, orders: Sequence[JobOrder]) -> WorkerReport:
        """Begin jobs, tell that all calls of the last report are stored, and return the next one."""
        ...

    def wake(self) -> None:
        """Have the exchange under way return at once, so that another can bring jobs."""
        ...

    def kill(self) -> None:
        """End the worker's process and release what it reserved."""
        ...
