"""Exclusive batches: calls of different kinds that must not be in an engine at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class ExclusiveBatches:
    """A lock that admits many calls of one kind, but one kind at a time, in order of arrival."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._left = asyncio.Event()
        self._kind = ""
        self._inside = 0

    @asynccontextmanager
    async def take(self, kind: str) -> AsyncGenerator[None]:
        """Enter as `kind`. Calls of no kind ("") never wait and block no other."""
        if not kind:
            yield
            return
        async with self._door:
            while self._inside and kind != self._kind:
                self._left.clear()
                await self._left.wait()
            self._kind = kind
            self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._left.set()
