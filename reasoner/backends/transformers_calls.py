"""Concurrent calls to a Transformers model, served together: each joins the running batch when it comes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from reasoner.backends.sample_output import Output
from reasoner.errors import BackendError, ReasonerError
from reasoner.types import Sampling

ROWS = 256
"""The most samples that grow together; further calls wait. One call may have more."""


class Samples(Protocol):
    """The samples of a call in the batch."""

    outputs: list[Output]
    live: list[int]


class GrowingBatch(Protocol):
    """A model with a running batch."""

    rows: int

    def admit(self, call: PendingCall) -> bool:
        """Let a call join, and draw its first tokens; return False if it has to wait for the others."""
        ...

    def leave(self, samples: Any) -> None:
        """Remove a call that is not to go on."""
        ...

    def step(self) -> None:
        """Draw the next token of every sample."""
        ...

    def clear(self) -> None:
        """Remove all calls."""
        ...


@dataclass(eq=False)
class PendingCall:
    """A call from its arrival to its end; `prefilled` is what the engine knows of its prompt."""

    ids: tuple[int, ...]
    sampling: Sampling
    halted: Callable[[Output], bool]
    reply: asyncio.Future[list[Output]]
    prefilled: Any = None
    samples: Samples | None = None
    left: bool = False
    error: ReasonerError | None = None


@dataclass(eq=False)
class CallServer:
    """Serves the calls of one event loop until none is left; `run` runs a function where the model is."""

    run: Callable[[Callable[[], None]], Awaitable[None]]
    engine: GrowingBatch
    _waiting: deque[PendingCall] = field(default_factory=deque[PendingCall])
    _active: list[PendingCall] = field(default_factory=list[PendingCall])
    _task: asyncio.Task[None] | None = None

    async def sample(
        self, ids: tuple[int, ...], sampling: Sampling, halted: Callable[[Output], bool]
    ) -> list[Output]:
        """Return the samples of a call; `halted` is asked after each token of the first one.

        Raises:
            BackendError: the model failed.
        """
        call = PendingCall(ids, sampling, halted, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve())
        try:
            return await call.reply
        finally:
            call.left = True

    async def aclose(self) -> None:
        """End every call."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._fail(BackendError("the model was closed while it sampled"))

    async def _serve(self) -> None:
        try:
            while self._waiting or self._active:
                await self.run(self._advance)
                self._settle()
        except Exception as e:
            self._fail(e)

    def _advance(self) -> None:
        """Let calls join, and else draw one token of all."""
        for call in [c for c in self._active if c.left]:
            self.engine.leave(call.samples)
        self._active = [c for c in self._active if not c.left]
        self._waiting = deque(c for c in self._waiting if not c.left)
        if not self._admitted() and self.engine.rows:
            self.engine.step()

    def _admitted(self) -> bool:
        """Let those calls join that there is room for; return whether any did."""
        before = len(self._active)
        while self._waiting and self._has_room(self._waiting[0]):
            call = self._waiting[0]
            try:
                if not self.engine.admit(call):
                    break
            except ReasonerError as e:
                call.error = e
            self._active.append(self._waiting.popleft())
        return len(self._active) > before

    def _has_room(self, call: PendingCall) -> bool:
        return not self.engine.rows or self.engine.rows + call.sampling.n <= ROWS

    def _settle(self) -> None:
        """Answer the calls that ended, and halt those that are to."""
        going = list[PendingCall]()
        for call in self._active:
            if call.error and not call.reply.done():
                call.reply.set_exception(call.error)
            elif call.samples and not call.reply.done():
                self._answer(call, call.samples)
            if call.left or not call.reply.done():
                going.append(call)
        self._active = going

    @staticmethod
    def _answer(call: PendingCall, samples: Samples) -> None:
        try:
            ended = call.halted(samples.outputs[0]) or not samples.live
        except Exception as e:  # It is the caller's.
            call.reply.set_exception(e)
            call.left = True
        else:
            if ended:
                call.reply.set_result(samples.outputs)
                call.left = bool(samples.live)

    def _fail(self, error: Exception) -> None:
        """Fail every call, and begin anew."""
        self.engine.clear()
        for call in (*self._active, *self._waiting):
            if not call.reply.done():
                call.reply.set_exception(error)
        self._active, self._waiting = [], deque()
