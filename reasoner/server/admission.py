"""Admission: searches at once, searches that wait, and the tokens of each key in a minute."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from reasoner.server.api_errors import ApiError
from reasoner.server.settings import ServerSettings

MINUTE = 60.0
LIMITED = "rate_limit_exceeded"


class Admission:
    """Lets searches begin, in the order of their arrival."""

    def __init__(self, settings: ServerSettings, now: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._now = settings, now
        self._free = asyncio.Semaphore(settings.searches)
        self._spent = defaultdict[str, deque[tuple[float, int]]](deque)
        self.running, self.waiting = 0, 0

    @asynccontextmanager
    async def admitted(self, key: str) -> AsyncGenerator[None]:
        """Hold a place among the running searches.

        Raises:
            ApiError: the queue is full, or the key has spent its tokens.
        """
        self._check_tokens(key)
        if self._free.locked() and self.waiting >= self._settings.queue:
            raise ApiError(
                429, f"{self.running} searches run and {self.waiting} wait; try again later",
                kind="server_error", code=LIMITED, headers={"retry-after": "5"},
            )  # fmt: skip
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._free.release()

    def charge(self, key: str, tokens: int) -> None:
        """Count the tokens that a search of a key has spent."""
        self._spent[key].append((self._now(), tokens))

    def _check_tokens(self, key: str) -> None:
        limit, spent, now = self._settings.tokens_per_minute, self._spent[key], self._now()
        while spent and spent[0][0] <= now - MINUTE:
            spent.popleft()
        if not spent:
            del self._spent[key]
            return
        if limit is not None and sum(tokens for _, tokens in spent) >= limit:
            wait = max(1, round(spent[0][0] + MINUTE - now))
            raise ApiError(
                429, f"this key has spent its {limit} tokens a minute; try again in {wait} s",
                kind="tokens", code=LIMITED, headers={"retry-after": str(wait)},
            )  # fmt: skip
