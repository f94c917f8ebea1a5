"""A server in this process, on a thread and a port of its own, that real clients reach."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.needs import need

need("fastapi", "uvicorn")

import uvicorn

from reasoner.backends.scripted import Scripted
from reasoner.base import Backend
from reasoner.server.app import Server, create_app
from reasoner.server.settings import ServerSettings


@dataclass(frozen=True)
class Running:
    """A running server: its address, and the objects behind it."""

    url: str
    server: Server
    backend: Any

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """Send a request as JSON."""
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=30)


Serve = Callable[..., Running]


@contextmanager
def serving(
    backend: Backend | None = None, second: Backend | None = None, **settings: object
) -> Iterator[Running]:
    """Serve the scripted model, or another backend, while the block runs."""
    from reasoner.cli.serve import listen

    model = backend or Scripted()
    app = create_app(model, "toy", ServerSettings.model_validate(settings), second)
    uvicorn_server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    listening = listen("127.0.0.1", 0)
    thread = threading.Thread(target=uvicorn_server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not uvicorn_server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield Running(f"http://127.0.0.1:{listening.getsockname()[1]}", app.state.server, model)
    finally:
        uvicorn_server.should_exit = True
        thread.join(30)
        listening.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A server that tests of a file share."""
    with serving() as started:
        yield started
