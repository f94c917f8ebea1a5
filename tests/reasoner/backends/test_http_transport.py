"""Connections of HTTP clients: kept open, one pool per event loop, and silent when nobody closes them."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from reasoner.backends.http_transport import HttpTransport


class Handler(BaseHTTPRequestHandler):
    """Answers with the port of the client."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a request."""
        body = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:
        """Be silent."""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect the sockets of event loops that have ended, of which Python warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture
def url() -> Iterator[str]:
    """A server on loopback that keeps connections open."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def client() -> httpx.AsyncClient:
    """A client with the transport."""
    return httpx.AsyncClient(transport=HttpTransport(verify=False))


async def ask(client: httpx.AsyncClient, url: str) -> str:
    """Return an answer's text."""
    return (await client.get(url)).text


async def test_a_connection_is_used_again(url: str) -> None:
    async with client() as opened:
        first, second = await ask(opened, url), await ask(opened, url)
    assert first == second


def test_event_loops_one_after_the_other_leave_nothing_to_say(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    opened = client()
    assert len({asyncio.run(ask(opened, url)) for _ in range(3)}) == 3
    transport = opened._transport
    assert isinstance(transport, HttpTransport)
    assert len(transport._sessions) == 1
    del opened, transport
    gc.collect()
    assert not caplog.records
    assert not capfd.readouterr().err


async def test_a_server_that_is_not_there_is_an_error_of_httpx() -> None:
    async with client() as opened:
        with pytest.raises(httpx.TransportError):
            await opened.get("http://127.0.0.1:9")


async def test_a_client_closes_in_another_event_loop(url: str) -> None:
    opened = client()
    await asyncio.to_thread(asyncio.run, ask(opened, url))
    await ask(opened, url)
    await opened.aclose()
    assert isinstance(transport := opened._transport, HttpTransport)
    assert not transport._sessions
    assert opened.is_closed


async def test_a_connection_that_closes_before_the_answer_is_named_so() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with client() as http:
        with pytest.raises(httpx.RemoteProtocolError, match="closed the connection before"):
            await ask(http, f"http://127.0.0.1:{port}")
        server.close()
        with pytest.raises(httpx.ConnectError):
            await ask(http, f"http://127.0.0.1:{port}")
