"""The transport of HTTP requests: aiohttp's, whose cost per request does not grow with those in flight.

httpcore, which httpx uses by itself, looks at every connection for every request.
"""

from __future__ import annotations

import asyncio
import weakref
from contextlib import suppress
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

Sessions = dict[asyncio.AbstractEventLoop, aiohttp.ClientSession]


class HttpTransport(AiohttpTransport):
    """Connections of aiohttp, one pool per event loop, without a limit and without cookies."""

    def __init__(self, *, verify: bool) -> None:
        super().__init__(verify=verify, client=self._session)
        self._sessions = Sessions()
        weakref.finalize(self, detach, self._sessions)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; every failure is an error of httpx."""
        self.client = self._session
        try:
            return await super().handle_async_request(request)
        except httpx.ConnectTimeout as e:
            raise _named(e, request) from e.__cause__
        except aiohttp.ClientError as e:
            raise httpx.RemoteProtocolError(str(e), request=request) from e

    async def aclose(self) -> None:
        """Close the connections."""
        sessions = [*self._sessions.values()]
        self._sessions.clear()
        for session in sessions:
            with suppress(RuntimeError):  # The event loop of another pool may be closed.
                await session.close()

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            self._forget_closed_loops()
            self._sessions[loop] = aiohttp.ClientSession(
                connector=_Connector(limit=0, ssl=self.ssl_context),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,
            )
        return self._sessions[loop]

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._sessions if loop.is_closed()]:
            self._sessions.pop(loop).detach()


class _Connector(aiohttp.TCPConnector):
    """A connector whose sockets close silently if nobody closes it, as those of httpx do."""

    def __del__(self, *_: Any) -> None:
        return


def detach(sessions: Sessions) -> None:
    """Leave the connections of sessions to the garbage collector."""
    for session in sessions.values():
        session.detach()


def _named(error: httpx.ConnectTimeout, request: httpx.Request) -> httpx.TransportError:
    """Return the error by its own name: the transport calls every broken connection a timeout."""
    match error.__cause__:
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(str(error), request=request)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            closed = "the server closed the connection before it answered"
            return httpx.RemoteProtocolError(closed, request=request)
        case _:
            return error
