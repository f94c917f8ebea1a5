"""vLLM's engine in this process, for a generator or a reward model."""

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
from reasoner.models.engine_process import fork_engines, import_ahead
from reasoner.models.precision import cpu_has_bfloat16
from reasoner.watchdog import Watchdog

BLOCK = 32
"""Tokens per prefix-cache block on CPU cores: vLLM's minimum, as its default of 128 never hits on short problems."""

CORE = "EngineCore"
"""The name prefix of vLLM's engine processes."""

RESTARTS = 3
"""The maximum number of restarts in a row without an answered call in between."""

SILENT = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
"""Environment of an engine that neither logs what is no error nor reports its use to vLLM's authors."""

_log = logging.getLogger(__name__)


class Engine:
    """An `AsyncLLM`, started with `arguments()` by the first caller.

    A start continues for the next caller if its caller is cancelled. The engine's processes end with
    this process, however it dies. `hint` ends the error message about a model that vLLM cannot serve.
    """

    def __init__(self, arguments: Callable[[], dict[str, Any]], hint: str = "") -> None:
        self._arguments, self._hint = arguments, hint
        self._running: Any = None
        self._launch: asyncio.Task[None] | None = None
        self._watchdog: Watchdog | None = None
        self._ids = count()
        self._pid = self._restarts = 0

    def name(self) -> str:
        """Return a unique name for a request."""
        return f"reasoner-{next(self._ids)}"

    @property
    def running(self) -> bool:
        """True once the engine has started, until it is closed."""
        return self._running is not None

    async def start(self) -> Any:
        """Return the running engine, started by the first caller.

        Raises:
            ConfigError: vLLM cannot serve the model with these arguments.
            BackendError: the engine did not start.
        """
        if self._running is None:
            self._launch = self._launch or asyncio.create_task(self._start_engine())
            await asyncio.shield(self._launch)
        return self._running

    async def restart(self, dead: Any, error: EngineDied) -> None:
        """Close the engine `dead`, once for all its callers, so that the next call starts a new one.

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
        """Reset the count of restarts, since a call was answered."""
        self._restarts = 0

    async def aclose(self) -> None:
        """Stop the engine and its process, after a start in progress."""
        if self._launch is not None:
            with suppress(ReasonerError):
                await asyncio.shield(self._launch)
        if self._running is not None:
            atexit.unregister(self._shutdown)
            self._shutdown()
            # The engine is part of a cycle, and its finalizer fails when the interpreter ends first.
            await asyncio.sleep(0)
            gc.unfreeze()
            gc.collect()

    async def _start_engine(self) -> None:
        for name, value in SILENT.items():
            os.environ.setdefault(name, value)
        import_ahead()
        try:
            # vLLM stores exceptions of its imports, which hold the frames of the importing call. An
            # engine in one of these frames would never be released.
            arguments = await asyncio.to_thread(self._arguments)
            watchdog = Watchdog()
            self._running = await asyncio.to_thread(self._open, arguments, watchdog)
            self._watchdog, self._pid = watchdog, os.getpid()
            atexit.register(self._shutdown)
            # What was imported stays; a full collection of it would stop every search for half a second.
            gc.collect()
            gc.freeze()
        finally:
            self._launch = None

    def _open(self, arguments: dict[str, Any], watchdog: Watchdog) -> Any:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        fork_engines()
        try:
            with watchdog.starting(CORE):
                return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
        except Exception as e:
            watchdog.kill()
            raise self._start_error(arguments["model"], e) from e

    def _start_error(self, model: str, error: Exception) -> ReasonerError:
        """Convert the error of a failed start to a `ReasonerError`."""
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


def on_this_machine(context: int, kv_cache_gib: int, dtype: str = "float32") -> dict[str, Any]:
    """Return engine arguments for CPU cores and prompts of up to `context` tokens; none on a GPU.

    `dtype` is the number format of the weights. A processor that multiplies in bfloat16 computes in it if
    the weights are in it, since that loses nothing of them; all else is computed in float32.
    """
    if cuda():
        return {}
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(kv_cache_gib))
    return {
        "block_size": BLOCK,
        "enforce_eager": True,
        "dtype": "bfloat16" if dtype == "bfloat16" and cpu_has_bfloat16() else "float32",
        # A seeded request whose prompt is split into chunks kills vLLM 0.32's CPU worker.
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(2048, context),
    }


def cuda() -> bool:
    """Return True if torch has a GPU."""
    import torch

    return bool(torch.cuda.is_available())


def gpus() -> int | None:
    """Return the number of GPUs of this machine; None if the engine runs on its CPU."""
    import torch

    return int(torch.cuda.device_count()) if cuda() else None


def failed(error: Exception, doing: str = "vLLM failed") -> BackendError:
    """Convert an error of the engine to a `BackendError`."""
    from vllm.v1.engine.exceptions import EngineDeadError

    if isinstance(error, EngineDeadError):
        return EngineDied("the process of vLLM's engine has ended")
    return BackendError(f"{doing}: {type(error).__name__}: {error}")
