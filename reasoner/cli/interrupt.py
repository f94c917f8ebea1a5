"""Ctrl-C and SIGTERM: stop within two seconds, keep finished work, leave no engine behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

GRACE = 1.0
"""Seconds for an interrupted command to end by itself; a busy one needs another to notice."""

MESSAGE = "reasoner: interrupted; what was finished is kept"


def interruptible(call: Coroutine[Any, Any, T]) -> T:
    """Run `call`; Ctrl-C cancels it, and ends the process if that takes longer than `GRACE`."""

    async def watched() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def interrupt(*_: object) -> None:
            watchdog = threading.Timer(GRACE, _abandon)
            watchdog.daemon = True
            watchdog.start()
            loop.call_soon_threadsafe(task.cancel)

        previous = {s: signal.signal(s, interrupt) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            return await call
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _abandon() -> NoReturn:
    kill_children()
    print(MESSAGE, file=sys.stderr, flush=True)
    os._exit(130)


def kill_children() -> None:
    """Kill the engine's processes: all descendants of this one."""
    for pid in _descendants():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants() -> list[int]:
    """List the descendants of this process, from /proc: the engine's workers are not its children."""
    children = defaultdict[int, list[int]](list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children[int(fields[1])].append(int(stat.parent.name))
    descendants = list(children[os.getpid()])
    for pid in descendants:
        descendants += children[pid]
    return descendants
