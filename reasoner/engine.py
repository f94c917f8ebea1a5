"""vLLM's engine in this process, for whatever it serves: a generator or a reward model."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
from collections.abc import Callable
from itertools import count
from typing import Any

from reasoner.errors import BackendError, ConfigError, EngineDied

BLOCK = 32
"""Tokens of a prefix-cache block on CPU cores. vLLM refuses fewer; its default of 128 never hits on short problems."""


class Engine:
    """An `AsyncLLM` with the `arguments` that are told when the first caller starts it.

    What cannot be served is told with a `hint` at what to do instead.
    """

    def __init__(self, arguments: Callable[[], dict[str, Any]], hint: str = "") -> None:
        self._arguments, self._hint = arguments, hint
        self._running: Any = None
        self._starting = asyncio.Lock()
        self._ids = count()

    def name(self) -> str:
        """A name for a request that no other has."""
        return f"reasoner-{next(self._ids)}"

    async def start(self) -> Any:
        """The running engine, started by the first caller.

        Raises:
            ConfigError: vLLM cannot serve the model so.
            BackendError: the engine did not start.
        """
        async with self._starting:
            if self._running is None:
                os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
                # vLLM keeps exceptions of its imports, and they the frames of the call that imports it:
                # were the engine in one of those, it would outlive its end.
                arguments = await asyncio.to_thread(self._arguments)
                self._running = await asyncio.to_thread(self._launch, arguments)
                atexit.register(self._running.shutdown)
        return self._running

    async def aclose(self) -> None:
        """Stop the engine and its process."""
        if self._running is not None:
            running, self._running = self._running, None
            atexit.unregister(running.shutdown)
            running.shutdown()
            del running
            # The engine is part of a cycle, and its finalizer fails when the interpreter ends first.
            await asyncio.sleep(0)
            gc.collect()

    def _launch(self, arguments: dict[str, Any]) -> Any:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        try:
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
        except (TypeError, ValueError, OSError) as e:
            raise ConfigError(f"vLLM cannot serve {arguments['model']!r}: {e}{self._hint}") from e
        except Exception as e:
            raise BackendError(f"the vLLM engine did not start: {type(e).__name__}: {e}") from e


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
