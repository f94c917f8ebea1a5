"""Streams of server-sent events: parts of a reply while a search runs, and heart-beats in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

HEART_BEAT = 10.0
"""Seconds of silence after which a comment is sent, so that no proxy ends the connection."""
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
DONE = "data: [DONE]\n\n"


def event(content: dict[str, Any], name: str = "") -> str:
    """Return an event; JSON has no line ends in it."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(content)}\n\n"


async def while_running(
    search: Callable[[Callable[[str], None]], Awaitable[None]],
) -> AsyncGenerator[str]:
    """Yield what `search` sends through the function that it is given, until it ends.

    The search is cancelled where the stream is closed, and its error is raised at the end.
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
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
