"""A backend wrapper that restarts an engine that died."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reasoner.backends.wrapper import Wrapping
from reasoner.base import Backend, Halt, as_watching, start
from reasoner.errors import BackendError, EngineDied
from reasoner.types import Generation, Prompt, Sampling

MOST = 3
"""The maximum number of restarts in a row without a finished problem in between."""


def silent(_: str) -> None:
    """Ignore a message."""


class Restarting(Wrapping):
    """`backend`, with an engine that is replaced by one of the same settings when it dies.

    Calls in flight wait for the new engine and are repeated; a watched sample ends with a
    `BackendError`, since part of it was already seen. `tell` receives one line about each restart.
    """

    def __init__(
        self, backend: Backend, *, most: int = MOST, tell: Callable[[str], None] = silent
    ) -> None:
        super().__init__(backend)
        self.most, self.tell = most, tell
        self.restarts = 0
        self.lost = ""
        """The reason why restarting stopped; empty while it goes on."""
        self._in_a_row = 0
        self._reviving = asyncio.Lock()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Continue `prompt`, with restarts of the engine if it dies.

        Raises:
            BackendError: the model could not answer, or the engine died too often.
        """
        while True:
            restarts = self.restarts
            try:
                return await self.backend.generate(prompt, sampling)
            except EngineDied as e:
                await self._revive(restarts, e)

    def progressed(self) -> None:
        """Reset the count of restarts, since a problem was finished."""
        self._in_a_row = 0

    async def start(self) -> None:
        """Start the engine, if the backend has one."""
        await start(self.backend)

    async def aclose(self) -> None:
        """Release the engine."""
        await self.backend.aclose()

    async def _watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        restarts = self.restarts
        try:
            return await as_watching(self.backend).watch(prompt, sampling, halt)
        except EngineDied as e:
            await self._revive(restarts, e)
            raise BackendError(f"a sample was cut off: {e}") from e

    async def _revive(self, restarts: int, error: BackendError) -> None:
        """Start a new engine, unless another call did since the count was `restarts`."""
        async with self._reviving:
            while restarts == self.restarts or self.lost:
                self._count(error)
                try:
                    await self.backend.aclose()
                    await self.start()  # Only one call waits for it.
                except BackendError as e:
                    restarts, error = self.restarts, e

    def _count(self, error: BackendError) -> None:
        if self._in_a_row == self.most and not self.lost:
            self.lost = (
                f"the engine was started again {self.most} times and died each time before a problem"
                f" was finished ({error}); finished problems are stored: run the same command again with"
                " fewer problems in flight (--concurrency) or less memory for the engine"
            )
        if self.lost:
            raise BackendError(self.lost)
        self.restarts += 1
        self._in_a_row += 1
        self.tell(f"the engine died ({error}); starting it again, {self._in_a_row} of {self.most}")
