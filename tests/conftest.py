"""Fixtures, a wall around the network, and what keeps the suite quick."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests import schedule

# Threads that wait for others spin, and test processes beside each other would starve. Torch reads it
# when it is imported, and so do the engines that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# `make check-slow` runs the properties with `--hypothesis-profile thorough`. Without deadlines, which go by the clock:
# a loaded machine would miss them.
settings.register_profile("quick", max_examples=15, deadline=None)
settings.register_profile("thorough", max_examples=400, deadline=None)
settings.load_profile("quick")

pytest_plugins = ["tests.cpu_budget", "pytester"]

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def pytest_configure(config: pytest.Config) -> None:
    """Leave out what takes long unless it is asked for."""
    chosen = config.option.markexpr
    if "slow" not in chosen:
        config.option.markexpr = f"({chosen}) and not slow" if chosen else "not slow"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files that take longest first."""
    schedule.arrange(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> schedule.EnginesTogether:
    """Run all tests that need an engine on one worker."""
    return schedule.EnginesTogether(config, log)


@pytest.fixture(scope="session")
def forked_engines() -> Iterator[None]:
    """Start the engines of this process as forks of one that has imported vLLM, in half the time.

    Programs that tests start do it as users' programs do.
    """
    from vllm.v1.engine import utils

    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["vllm.v1.engine.core", "vllm.v1.worker.cpu_worker"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "get_mp_context", lambda: forks)
        yield


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves the machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            pytest.fail(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
