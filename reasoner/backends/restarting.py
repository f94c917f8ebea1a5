"""A model whose engine is started again when it dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reasoner.backends.wrapper import Wrapping
from reasoner.base import Backend, Halt, as_watching, start
from reasoner.errors import BackendError, EngineDied
from reasoner.types import Generation, Prompt, Sampling

MOST = 3
"""Restarts in a row, without a finished problem in between, after which it is given up."""


def silent(_: str) -> None:
    """Tell nobody."""


class Restarting(Wrapping):
    """`backend`, with a new engine of the same settings in the place of one that died.

    Calls in flight wait for it and are asked again; a sample that was being watched ends with a
    `BackendError`, since half of it was seen already. One line `tell`s of every restart.
    """

    def __init__(
        self, backend: Backend, *, most: int = MOST, tell: Callable[[str], None] = silent
    ) -> None:
        super().__init__(backend)
        self.most, self.tell = most, tell
        self.restarts = 0
        self.lost = ""
        """Why the engine was given up, if it was."""
        self._in_a_row = 0
        self._reviving = asyncio.Lock()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Continue `prompt`, whatever becomes of the engine meanwhile.

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
        """A problem was finished: restarts count from zero again."""
        self._in_a_row = 0

    async def start(self) -> None:
        """Start the engine, if there is one to start."""
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
        """Start a new engine, unless another call did since there were so many `restarts`."""
        async with self._reviving:
            while restarts == self.restarts or self.lost:
                self._count(error)
                try:
                    await self.backend.aclose()
                    await self.start()  # One call waits for it, not all of them.
                except BackendError as e:
                    restarts, error = self.restarts, e

    def _count(self, error: BackendError) -> None:
        if self._in_a_row == self.most and not self.lost:
            self.lost = (
                f"the engine was started again {self.most} times, and died each time before a problem"
                f" was finished ({error}); what was finished is kept: run the same command again, with"
                " fewer problems in flight (--concurrency) or less memory for the engine"
            )
        if self.lost:
            raise BackendError(self.lost)
        self.restarts += 1
        self._in_a_row += 1
        self.tell(f"the engine died ({error}); starting it again, {self._in_a_row} of {self.most}")
