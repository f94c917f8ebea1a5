"""vLLM's engine in this process, for whatever it serves: a generator or a reward model."""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from reasoner.errors import BackendError, ConfigError, EngineDied, ReasonerError
from reasoner.watchdog import Watchdog

BLOCK = 32
"""Tokens of a prefix-cache block on CPU cores. vLLM refuses fewer; its default of 128 never hits on short problems."""

CORE = "EngineCore"
"""What the names of vLLM's engine processes begin with."""

RESTARTS = 3
"""Restarts in a row, without an answered call in between, after which an engine is given up."""

_log = logging.getLogger(__name__)


class Engine:
    """An `AsyncLLM`, started with `arguments()` by the first caller.

    A start that its caller cancels goes on for the next one. The engine's processes end with this
    process, however it dies. `hint` ends the message about a model that vLLM cannot serve.
    """

    def __init__(self, arguments: Callable[[], dict[str, Any]], hint: str = "") -> None:
        self._arguments, self._hint = arguments, hint
        self._running: Any = None
        self._launch: asyncio.Task[None] | None = None
        self._watchdog: Watchdog | None = None
        self._ids = count()
        self._pid = self._restarts = 0

    def name(self) -> str:
        """A name for a request that no other has."""
        return f"reasoner-{next(self._ids)}"

    async def start(self) -> Any:
        """The running engine, started by the first caller.

        Raises:
            ConfigError: vLLM cannot serve the model so.
            BackendError: the engine did not start.
        """
        if self._running is None:
            self._launch = self._launch or asyncio.create_task(self._launched())
            await asyncio.shield(self._launch)
        return self._running

    async def restart(self, dead: Any, error: EngineDied) -> None:
        """Close `dead`, so that the next call starts a new engine; once for all that saw it die.

        Raises:
            BackendError: it died too often in a row.
        """
        if self._running is not dead:
            return
        if self._restarts == RESTARTS:
            raise BackendError(f"{error}, after {RESTARTS} restarts in a row") from error
        self._restarts += 1
        _log.warning("%s; starting it again, %d of %d", error, self._restarts, RESTARTS)
        await self.aclose()

    def progressed(self) -> None:
        """Count restarts from zero again: a call was answered."""
        self._restarts = 0

    async def aclose(self) -> None:
        """Stop the engine and its process; one that is being started is waited for."""
        if self._launch is not None:
            with suppress(ReasonerError):
                await asyncio.shield(self._launch)
        if self._running is not None:
            atexit.unregister(self._shutdown)
            self._shutdown()
            # The engine is part of a cycle, and its finalizer fails when the interpreter ends first.
            await asyncio.sleep(0)
            gc.collect()

    async def _launched(self) -> None:
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        try:
            # vLLM keeps exceptions of its imports, and they the frames of the call that imports it:
            # were the engine in one of those, it would outlive its end.
            arguments = await asyncio.to_thread(self._arguments)
            watchdog = Watchdog()
            self._running = await asyncio.to_thread(self._open, arguments, watchdog)
            self._watchdog, self._pid = watchdog, os.getpid()
            atexit.register(self._shutdown)
        finally:
            self._launch = None

    def _open(self, arguments: dict[str, Any], watchdog: Watchdog) -> Any:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        try:
            with watchdog.starting(CORE):
                return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
        except Exception as e:
            watchdog.kill()
            raise self._unserved(arguments["model"], e) from e

    def _unserved(self, model: str, error: Exception) -> ReasonerError:
        """The error of a failed start, as one of ours."""
        if isinstance(error, TypeError | ValueError | OSError):
            return ConfigError(f"vLLM cannot serve {model!r}: {error}{self._hint}")
        return BackendError(f"the vLLM engine did not start: {type(error).__name__}: {error}")

    def _shutdown(self) -> None:
        """Stop the engine, unless this is a fork of the process that started it."""
        running, self._running = self._running, None
        watchdog, self._watchdog = self._watchdog, None
        if running is not None and self._pid == os.getpid():
            running.shutdown()
            if watchdog:
                watchdog.close()


def on_this_machine(context: int, kv_cache_gib: int) -> dict[str, Any]:
    """What vLLM needs to be told on CPU cores, for prompts of up to `context` tokens; nothing on a GPU."""
    if cuda():
        return {}
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(kv_cache_gib))
    return {
        "block_size": BLOCK,
        "enforce_eager": True,
        "dtype": "float32",
        # A seeded request whose prompt is split into chunks kills vLLM 0.32's CPU worker.
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(2048, context),
    }


def cuda() -> bool:
    """Whether there is a GPU that torch computes on."""
    import torch

    return bool(torch.cuda.is_available())


def failed(error: Exception, doing: str = "vLLM failed") -> BackendError:
    """What went wrong in the engine, as our error."""
    from vllm.v1.engine.exceptions import EngineDeadError

    if isinstance(error, EngineDeadError):
        return EngineDied("the process of vLLM's engine has ended")
    return BackendError(f"{doing}: {type(error).__name__}: {error}")
