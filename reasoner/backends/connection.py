"""HTTP requests to a model server, bounded in tries, time and reply size."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from functools import partial
from math import inf
from typing import Annotated, Any, TypeVar

import httpx
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.backends.address import address
from reasoner.backends.headers import checked_text, further_headers, header_value, retry_after
from reasoner.backends.http_transport import HttpTransport
from reasoner.backends.openai_stream import Events
from reasoner.backends.replies import error_message, parse_reply
from reasoner.errors import AccessDenied, BackendError, ConfigError
from reasoner.files import clipped
from reasoner.redaction import redacted, server_key, without_login

OK = 200
CONNECT = 10.0
"""Seconds to wait for a connection, or for a server's version."""

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Seconds = Annotated[float, Field(ge=0, lt=inf)]

AGAIN = frozenset({408, 409, 425, 429})
"""Status codes worth a retry, beside the server's own failures (5xx)."""

DENIED = {401: "check the api_key", 403: "check the api_key", 404: "check base_url and model"}
"""Status codes that every other request would get too, each with advice."""

MISSING = frozenset({404, 405})
"""Status codes of an endpoint that does not exist, and of an unknown model."""

MESSAGE = 300
"""The maximum length of an error message, in characters."""

UNREACHED = 2
"""Retries at a server that never answered: it is more likely absent than busy."""

SMALL = 2**16
"""Bytes read of a refusal or of a server's version."""

DAY = 86_400.0
"""Seconds; the upper bound of every time setting."""


@dataclass(frozen=True)
class CallLimits:
    """Bounds of one call to a server; `OpenAI` documents each."""

    retries: NonNegativeInt = 5
    backoff: Seconds = 0.5
    longest_pause: Seconds = 60.0
    timeout: Seconds = 600.0
    patience: Seconds = 1800.0
    max_body: PositiveInt = 2**26
    connections: PositiveInt = 256


class Unreached(BackendError):
    """The server gives no answer to a look-up."""


class NoSuchEndpoint(AccessDenied):
    """The server has no such endpoint, or not for this model."""


class TemporaryRefusal(Exception):
    """A temporary refusal; the server asks to wait for `pause` seconds."""

    def __init__(self, trouble: str, pause: float) -> None:
        super().__init__(trouble)
        self.pause = pause


class Connection:
    """A connection to one server. Error messages never contain the key."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        limits: CallLimits,
        transport: httpx.AsyncBaseTransport | None = None,
        headers: Mapping[str, str] = {},
    ) -> None:
        place, login = without_login(checked_text("base_url", base_url))
        self.url, self._limits = address(place), limits
        key = header_value(
            server_key(None if api_key is None else checked_text("api_key", api_key))
        )
        self._client = httpx.AsyncClient(
            # Bodies are not decompressed, so a small one cannot become large.
            headers=({"Authorization": f"Bearer {key}"} if key else {})
            | further_headers(headers)
            | {"Accept-Encoding": "identity"},
            auth=login,
            timeout=httpx.Timeout(limits.timeout, connect=min(CONNECT, limits.timeout), pool=None),
            # Without TLS, no certificates are loaded.
            transport=transport or HttpTransport(verify=self.url.startswith("https:")),
        )
        self._free = asyncio.Semaphore(limits.connections)
        self._answered = False

    async def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] = {}
    ) -> bytes:
        """Send a request and return the body of the reply.

        Raises:
            AccessDenied: the server refuses this and every other request.
            ConfigError: the server refuses this request.
            BackendError: no answer after all tries, or an invalid one.
        """
        async with self._free:
            return await self._retry(partial(self._read_whole, path, body, headers))

    async def stream(
        self, path: str, body: Mapping[str, Any], kind: type[M], headers: Mapping[str, str] = {}
    ) -> AsyncGenerator[M]:
        """Send a request and yield the reply's events up to `[DONE]`; raise the errors of `post`."""
        events = Events()
        async with (
            self._free,
            aclosing(await self._retry(partial(self._send, path, body, headers))) as reply,
            aclosing(self._chunks(reply)) as chunks,
        ):
            try:
                async for chunk in chunks:
                    for data in events.add(chunk):
                        yield self.read(kind, data)
                    if events.done:
                        return
                for data in events.add(b"\n"):  # The last line may have no end.
                    yield self.read(kind, data)
            except (httpx.RequestError, TimeoutError) as e:
                raise self.error(f"broke off a stream: {self._description(e)}") from e

    async def look_up(
        self, path: str, kind: type[M], body: dict[str, Any] | None = None, *, beside: bool = True
    ) -> M | None:
        """Return what `path` gives, beside `/v1` or below it, in one try; None if that is no `kind`.

        With a `body`, it is posted.

        Raises:
            Unreached: the server gives no answer.
        """
        method = "GET" if body is None else "POST"
        root = self.url.removesuffix("/v1") if beside else self.url
        request = self._client.build_request(method, root + path, json=body)
        status, start = await self._answer(request)
        try:
            return parse_reply(kind, start) if status == OK else None
        except BackendError:
            return None

    async def status(self, path: str) -> int:
        """Return the status of a GET of `path` below `/v1`.

        Raises:
            Unreached: the server gives no answer.
        """
        return (await self._answer(self._client.build_request("GET", self.url + path)))[0]

    async def _answer(self, request: httpx.Request) -> tuple[int, bytes]:
        """Return the status and the first bytes of an answer, in one short try."""
        try:
            async with asyncio.timeout(min(CONNECT, self._limits.timeout)):
                async with aclosing(await self._client.send(request, stream=True)) as reply:
                    return reply.status_code, await _start(reply)
        except (httpx.RequestError, TimeoutError) as e:
            raise Unreached(self._description(e)) from e

    def read(self, kind: type[M], body: bytes | str) -> M:
        """Parse a reply; raise a `BackendError` of this server if it is invalid."""
        try:
            return parse_reply(kind, body)
        except BackendError as e:
            raise self.error(str(e)) from None

    def error(self, reason: str) -> BackendError:
        """Return an error that names this server."""
        return BackendError(self._message(f"{self.url} {reason}"))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _retry(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return the outcome of `attempt`, with retries after temporary failures."""
        limits, trouble, tries = self._limits, "", 0
        end = time.monotonic() + limits.patience
        for tries, jittered in enumerate(self._pauses(), start=1):
            pause = jittered
            try:
                async with asyncio.timeout(min(limits.timeout, end - time.monotonic())):
                    return await attempt()
            except TemporaryRefusal as e:
                trouble, pause = str(e), min(max(jittered, e.pause), limits.longest_pause)
            except (httpx.RequestError, TimeoutError) as e:
                trouble = self._description(e)
            retries = limits.retries if self._answered else min(limits.retries, UNREACHED)
            if tries > retries or time.monotonic() + pause >= end:
                break
            await asyncio.sleep(pause)
        raise BackendError(
            self._message(
                f"no answer from {self.url} after {tries} tries ({trouble});"
                " is the server running there?"
            )
        )

    def _pauses(self) -> Iterator[float]:
        """Yield the seconds to wait after each try: doubled each time, with random jitter."""
        for attempt in range(self._limits.retries + 1):
            pause = self._limits.backoff * 2.0 ** min(attempt, 30) * (0.5 + random.random())
            yield min(pause, self._limits.longest_pause)

    async def _read_whole(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> bytes:
        async with (
            aclosing(await self._send(path, body, headers)) as reply,
            aclosing(self._chunks(reply)) as chunks,
        ):
            return b"".join([chunk async for chunk in chunks])

    async def _send(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> httpx.Response:
        """Send a request and return the response, checked but not yet read.

        Raises:
            TemporaryRefusal: a later try may succeed.
            AccessDenied: the server refuses every request.
            ConfigError: the server refuses this request.
            BackendError: the response is not an answer.
        """
        request = self._client.build_request(
            "POST",
            self.url + path,
            content=json.dumps(dict(body)),
            headers={**headers, "Content-Type": "application/json"},
        )
        reply = await self._client.send(request, stream=True)
        self._answered = True
        try:
            await self._check(reply)
        except BaseException:
            await reply.aclose()
            raise
        return reply

    async def _check(self, reply: httpx.Response) -> None:
        """Raise if a response is not an answer."""
        status = reply.status_code
        if status == OK and not _compressed(reply):
            return
        body = "a compressed body" if status == OK else error_message(await _start(reply))
        reason = clipped(redacted(body), 150)
        if status in AGAIN or status >= 500:
            raise TemporaryRefusal(
                f"{status}: {reason}", retry_after(reply.headers.get("Retry-After", ""))
            )
        refused = f"{self.url} refused the request with {status}"
        if status in MISSING and not _names_model(body):
            raise NoSuchEndpoint(self._message(f"{refused}: {reason}; {DENIED[404]}"))
        if status in DENIED:
            raise AccessDenied(self._message(f"{refused}: {reason}; {DENIED[status]}"))
        if status >= 400:
            raise ConfigError(self._message(f"{refused}: {reason}"))
        hint = "; set base_url to the address it redirects to" if 300 <= status < 400 else ""
        raise self.error(f"gave no answer but {status}: {reason}{hint}")

    async def _chunks(self, reply: httpx.Response) -> AsyncGenerator[bytes]:
        """Yield the body as it arrives, within the limits of size and time."""
        size, end = 0, asyncio.get_running_loop().time() + self._limits.timeout
        chunks = aiter(reply.aiter_bytes())
        while True:
            async with asyncio.timeout_at(end):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            size += len(chunk)
            if size > self._limits.max_body:
                raise self.error(f"sent more than {self._limits.max_body} bytes (max_body)")
            yield chunk

    def _description(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no complete answer within {self._limits.timeout:g} s (timeout)"
        return f"{type(error).__name__}: {error}".rstrip(": ")

    def _message(self, text: str) -> str:
        return clipped(redacted(text), MESSAGE)


def _names_model(body: str) -> bool:
    """Return True if the message of a 404 is about the model rather than about the endpoint."""
    about = body.lower()
    return "model" in about and "chat" not in about


def _compressed(reply: httpx.Response) -> bool:
    return str(reply.headers.get("Content-Encoding", "identity")).lower() != "identity"


async def _start(reply: httpx.Response) -> bytes:
    """Return the first bytes of a body; none of a compressed one."""
    body = b""
    if _compressed(reply):
        return body
    async for chunk in reply.aiter_bytes():
        body += chunk
        if len(body) >= SMALL:
            break
    return body[:SMALL]
