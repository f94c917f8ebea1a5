"""Streams of server-sent events: parts of a reply while a search runs, and heart-beats in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from reasoner.server.api_errors import ApiError, as_api_error

HEART_BEAT = 10.0
"""Seconds of silence after which a comment is sent, so that no proxy ends the connection."""
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
DONE = "data: [DONE]\n\n"


def event(content: dict[str, Any], name: str = "") -> str:
    """Return an event; JSON has no line ends in it."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(content)}\n\n"


def error_event(error: ApiError) -> str:
    """Return an error as an event of a stream that has begun."""
    return event(error.as_json())


async def while_running(
    search: Callable[[Callable[[str], None]], Awaitable[None]],
    failed: Callable[[ApiError], str] = error_event,
    end: str = DONE,
) -> AsyncGenerator[str]:
    """Yield what `search` sends through the function that it is given, then `end`.

    The search is cancelled where the stream is closed. Its error is the part that `failed` makes of it.
    """
    parts = asyncio.Queue[str | None]()
    task = asyncio.ensure_future(search(parts.put_nowait))
    task.add_done_callback(lambda _: parts.put_nowait(None))
    try:
        while True:
            try:
                part = await asyncio.wait_for(parts.get(), HEART_BEAT)
            except TimeoutError:
                part = ": keep-alive\n\n"
            if part is None:
                break
            yield part
        try:
            await task
        except Exception as e:
            yield failed(as_api_error(e))
        if end:
            yield end
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
