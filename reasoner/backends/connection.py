"""HTTP requests to a model server, bounded in tries, in time and in the size of what comes back."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from functools import partial
from math import inf
from typing import Annotated, Any, TypeVar

import httpx
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.backends.address import address
from reasoner.backends.openai_stream import Events
from reasoner.backends.replies import complaint, parsed
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
"""Refusals that pass, beside the server's own failures (5xx)."""

DENIED = {401: "check the api_key", 403: "check the api_key", 404: "check base_url and model"}
"""Refusals that every other request would meet, too, and what to do about them."""

MESSAGE = 300
"""The longest message of an error."""

UNREACHED = 2
"""Further tries at a server that never answered: it is more likely not there than busy."""

SMALL = 2**16
"""Bytes read of what is not an answer: a refusal, or a server's version."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one call to a server; `OpenAI` tells what each is."""

    retries: NonNegativeInt = 5
    backoff: Seconds = 0.5
    longest_pause: Seconds = 60.0
    timeout: Seconds = 600.0
    patience: Seconds = 1800.0
    max_body: PositiveInt = 2**26
    connections: PositiveInt = 256


class Passing(Exception):
    """A refusal that may pass; the server asks to wait for `pause` seconds."""

    def __init__(self, trouble: str, pause: float) -> None:
        super().__init__(trouble)
        self.pause = pause


class Connection:
    """A server's address, and how to ask it. No message of an error has the key in it."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        limits: Limits,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        place, login = without_login(_text("base_url", base_url))
        self.url, self._limits = address(place), limits
        key = _header(server_key(None if api_key is None else _text("api_key", api_key)))
        self._client = httpx.AsyncClient(
            # Nothing is unpacked, so that nothing small can become large.
            headers={"Accept-Encoding": "identity"}
            | ({"Authorization": f"Bearer {key}"} if key else {}),
            auth=login,
            timeout=httpx.Timeout(limits.timeout, connect=min(CONNECT, limits.timeout), pool=None),
            limits=httpx.Limits(max_connections=None),
            verify=self.url.startswith("https:"),  # Else there is no need to load certificates.
            transport=transport,
        )
        self._free = asyncio.Semaphore(limits.connections)
        self._answered = False

    async def post(self, path: str, body: dict[str, Any], kind: type[M]) -> M:
        """Ask for a whole reply.

        Raises:
            AccessDenied: the server refuses this and every other request.
            ConfigError: the server refuses this request.
            BackendError: no answer after every try, or one that cannot be used.
        """
        async with self._free:
            return self.read(kind, await self._tried(partial(self._whole, path, body)))

    async def stream(self, path: str, body: dict[str, Any], kind: type[M]) -> AsyncGenerator[M]:
        """Ask for a reply in events, up to `[DONE]`; raises what `post` raises."""
        events = Events()
        async with (
            self._free,
            aclosing(await self._tried(partial(self._sent, path, body))) as reply,
            aclosing(self._chunks(reply)) as chunks,
        ):
            try:
                async for chunk in chunks:
                    for data in events.add(chunk):
                        yield self.read(kind, data)
                    if events.done:
                        return
                for data in events.add(b"\n"):  # Where the last line has no end.
                    yield self.read(kind, data)
            except (httpx.RequestError, TimeoutError) as e:
                raise self.error(f"broke off a stream: {self._named(e)}") from e

    async def has(self, path: str, kind: type[BaseModel]) -> bool | None:
        """True if `path` beside `/v1` answers so, asked once; None if the server did not answer."""
        request = self._client.build_request("GET", self.url.removesuffix("/v1") + path)
        try:
            async with asyncio.timeout(min(CONNECT, self._limits.timeout)):
                async with aclosing(await self._client.send(request, stream=True)) as reply:
                    body = await _start(reply) if reply.status_code == OK else b""
        except (httpx.RequestError, TimeoutError):
            return None
        try:
            return bool(parsed(kind, body))
        except BackendError:
            return False

    def read(self, kind: type[M], body: bytes | str) -> M:
        """Parse a reply; what is wrong with it is an error of this server."""
        try:
            return parsed(kind, body)
        except BackendError as e:
            raise self.error(str(e)) from None

    def error(self, reason: str) -> BackendError:
        """An error of this server."""
        return BackendError(self._message(f"{self.url} {reason}"))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _tried(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The outcome of an attempt, tried again while trouble may pass."""
        limits, trouble, tries = self._limits, "", 0
        end = time.monotonic() + limits.patience
        for tries, spread in enumerate(self._pauses(), start=1):
            pause = spread
            try:
                async with asyncio.timeout(min(limits.timeout, end - time.monotonic())):
                    return await attempt()
            except Passing as e:
                trouble, pause = str(e), min(max(spread, e.pause), limits.longest_pause)
            except (httpx.RequestError, TimeoutError) as e:
                trouble = self._named(e)
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
        """Seconds to wait after each try: doubled every time, and spread."""
        for attempt in range(self._limits.retries + 1):
            pause = self._limits.backoff * 2.0 ** min(attempt, 30) * (0.5 + random.random())
            yield min(pause, self._limits.longest_pause)

    async def _whole(self, path: str, body: dict[str, Any]) -> bytes:
        async with (
            aclosing(await self._sent(path, body)) as reply,
            aclosing(self._chunks(reply)) as chunks,
        ):
            return b"".join([chunk async for chunk in chunks])

    async def _sent(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """The start of a reply that is an answer."""
        content, kind = json.dumps(body), {"Content-Type": "application/json"}
        request = self._client.build_request("POST", self.url + path, content=content, headers=kind)
        reply = await self._client.send(request, stream=True)
        self._answered = True
        try:
            await self._check(reply)
        except BaseException:
            await reply.aclose()
            raise
        return reply

    async def _check(self, reply: httpx.Response) -> None:
        """Refuse what is no answer."""
        status = reply.status_code
        if status == OK and not _packed(reply):
            return
        body = "a compressed body" if status == OK else complaint(await _start(reply))
        told = clipped(redacted(body), 150)
        if status in AGAIN or status >= 500:
            raise Passing(f"{status}: {told}", retry_after(reply.headers.get("Retry-After", "")))
        refused = f"{self.url} refused the request with {status}"
        if status in DENIED:
            raise AccessDenied(self._message(f"{refused}: {told}; {DENIED[status]}"))
        if status >= 400:
            raise ConfigError(self._message(f"{refused}: {told}"))
        moved = "; set base_url to the address it redirects to" if 300 <= status < 400 else ""
        raise self.error(f"gave no answer but {status}: {told}{moved}")

    async def _chunks(self, reply: httpx.Response) -> AsyncGenerator[bytes]:
        """The body as it comes, while its size and its time are within limits."""
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

    def _named(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"nothing whole within {self._limits.timeout:g} s (timeout)"
        return f"{type(error).__name__}: {error}".rstrip(": ")

    def _message(self, text: str) -> str:
        return clipped(redacted(text), MESSAGE)


def retry_after(value: str) -> float:
    """Seconds that a `Retry-After` header asks to wait: a number or a date; 0 if it is neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return max(0.0, seconds)  # NaN is not larger than 0.


def _text(setting: str, value: object) -> str:
    """The value of a setting, if it is a text."""
    if not isinstance(value, str):
        raise ConfigError(f"{setting} is not a text")
    return value


def _header(key: str) -> str:
    """The key, if a header can hold it."""
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("the api_key is not a text of printable ASCII characters")
    return key


def _packed(reply: httpx.Response) -> bool:
    return str(reply.headers.get("Content-Encoding", "identity")).lower() != "identity"


async def _start(reply: httpx.Response) -> bytes:
    """The first bytes of a body; none of one that would have to be unpacked."""
    body = b""
    if _packed(reply):
        return body
    async for chunk in reply.aiter_bytes():
        body += chunk
        if len(body) >= SMALL:
            break
    return body[:SMALL]
