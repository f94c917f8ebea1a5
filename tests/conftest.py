"""Fixtures, and a wall around the network."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

# Threads that wait for others spin, and test processes beside each other would starve. Torch reads it
# when it is imported, and so do the engines that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves the machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            pytest.fail(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
