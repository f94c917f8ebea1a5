"""Ctrl-C: stop within two seconds, keep what is finished, leave no engine behind."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

GRACE = 1.6
"""Seconds that an interrupted command has to end by itself."""

MESSAGE = "reasoner: interrupted; what was finished is kept"


def interruptible(call: Coroutine[Any, Any, T]) -> T:
    """Run `call`; Ctrl-C cancels it, and ends the process should that take too long."""

    async def watched() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def interrupt(*_: object) -> None:
            watchdog = threading.Timer(GRACE, _abandon)
            watchdog.daemon = True
            watchdog.start()
            loop.call_soon_threadsafe(task.cancel)

        previous = signal.signal(signal.SIGINT, interrupt)
        try:
            return await call
        finally:
            signal.signal(signal.SIGINT, previous)

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _abandon() -> NoReturn:
    kill_children()
    print(MESSAGE, file=sys.stderr, flush=True)
    os._exit(130)


def kill_children() -> None:
    """End the engine processes that this one started."""
    for child in multiprocessing.active_children():
        child.kill()
