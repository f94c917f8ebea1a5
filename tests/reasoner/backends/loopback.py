"""A server on loopback that answers as it should, or not."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from re import search
from typing import Any, Self

Asked = dict[str, Any]
Send = Callable[[Asked, int], AsyncIterator[bytes]]
"""The bytes that a server sends for a request, by how often it was asked; it hangs up at their end."""

KEY = "sk-very-secret"
SPENT = {"prompt_tokens": 9, "completion_tokens": 4}


class Loopback:
    """Answers each POST by the fault whose name is in the prompt as `<name>`; others well."""

    def __init__(self, faults: Mapping[str, Send]) -> None:
        self.faults, self.url = faults, ""
        self.times = Counter[str]()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._open = set[asyncio.Task[Any]]()
        try:
            yield self
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(size[1])) if size else b"{}"
            async for piece in self._sent(head, json.loads(body)):
                writer.write(piece)
                await writer.drain()
        writer.close()

    def _sent(self, head: bytes, asked: Asked) -> AsyncIterator[bytes]:
        if head.startswith(b"GET"):
            return whole(http("", 404))(asked, 1)
        named = search(r"<(.+?)>", asked["prompt"])
        name = named[1] if named else ""
        self.times[name] += 1
        return self.faults.get(name, good)(asked, self.times[name])


# -- answers ----------------------------------------------------------------------------------------


def http(body: str | bytes | object, status: int = 200, **headers: object) -> bytes:
    """A response as it goes over the wire."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {
        "Content-Type": "application/json", "Content-Length": len(body), "Connection": "close",
    } | given  # fmt: skip
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status} Told", *lines, "", ""]).encode() + body


def reply(asked: Asked, **changes: Any) -> dict[str, Any]:
    """A good reply, but for some changes."""
    return {"choices": [choice(i) for i in range(asked.get("n", 1))], "usage": SPENT} | changes


def choice(index: Any = 0, **changes: Any) -> dict[str, Any]:
    """A good sample, but for some changes."""
    return {"index": index, "text": "#42", "finish_reason": "stop"} | changes


def good(asked: Asked, _: int) -> AsyncIterator[bytes]:
    """The answer that a server should give."""
    if asked.get("stream"):
        return stream(piece("#4"), piece("2", finish_reason="stop"), usage())(asked, 1)
    return whole(http(reply(asked)))(asked, 1)


def whole(response: bytes) -> Send:
    """Send this."""

    async def send(_: Asked, __: int) -> AsyncIterator[bytes]:
        yield response

    return send


def changed(**changes: Any) -> Send:
    """A good reply, but for some changes."""

    def send(asked: Asked, _: int) -> AsyncIterator[bytes]:
        return whole(http(reply(asked, **changes)))(asked, 1)

    return send


def samples(**changes: Any) -> Send:
    """A reply whose samples have these changes."""

    def send(asked: Asked, _: int) -> AsyncIterator[bytes]:
        choices = [choice(i, **changes) for i in range(asked.get("n", 1))]
        return whole(http(reply(asked, choices=choices)))(asked, 1)

    return send


def text(old: str, new: str | bytes) -> Send:
    """A good reply in which some text of the JSON is another."""

    def send(asked: Asked, _: int) -> AsyncIterator[bytes]:
        new_bytes = new if isinstance(new, bytes) else new.encode()
        return whole(http(json.dumps(reply(asked)).encode().replace(old.encode(), new_bytes)))(
            asked, 1
        )

    return send


def spent(**changes: Any) -> Send:
    """A reply with this usage."""
    return changed(usage=SPENT | changes)


def slowly(start: bytes, rest: bytes = b"", pause: float = 0.01, *, ever: bool = False) -> Send:
    """Send the start at once and the rest byte by byte; or again and again, for ever."""

    async def send(_: Asked, __: int) -> AsyncIterator[bytes]:
        yield start
        while True:
            for byte in rest:
                await asyncio.sleep(pause)
                yield bytes([byte])
            if not ever:
                return
            await asyncio.sleep(0)

    return send


def flood(start: bytes, rest: bytes) -> Send:
    """Send the start, and then the rest again and again, as fast as it is read."""

    async def send(_: Asked, __: int) -> AsyncIterator[bytes]:
        yield start
        while True:
            yield rest

    return send


def never(start: bytes = b"") -> Send:
    """Send the start and then nothing, without an end."""

    async def send(_: Asked, __: int) -> AsyncIterator[bytes]:
        yield start
        await asyncio.sleep(600)

    return send


def then_good(*first: bytes) -> Send:
    """Send these, one a request, and after that the answer."""

    def send(asked: Asked, times: int) -> AsyncIterator[bytes]:
        return whole(first[times - 1])(asked, 1) if times <= len(first) else good(asked, 1)

    return send


# -- streams ----------------------------------------------------------------------------------------

STREAM = http("", Content_Type="text/event-stream", Content_Length=None)
DONE = "data: [DONE]\n\n"


def piece(text: str, **changes: Any) -> str:
    """An event with a piece of a sample."""
    return event({"choices": [choice(text=text, finish_reason=None) | changes]})


def usage(**changes: Any) -> str:
    """An event with the usage alone."""
    return event({"choices": [], "usage": SPENT | changes})


def event(content: object) -> str:
    """An event with any content."""
    return f"data: {json.dumps(content)}\n\n"


def stream(*events: str | bytes, end: str = DONE) -> Send:
    """Send these events."""
    return whole(
        STREAM + b"".join(e if isinstance(e, bytes) else e.encode() for e in (*events, end))
    )


END = piece("2", finish_reason="stop")
