"""The seconds of a run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager


class Clock:
    """Tells how long a run has worked; one that is resumed is put forward to where it was."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._deadlines = list[asyncio.Timeout]()

    @property
    def elapsed(self) -> float:
        """Seconds since the start, those of earlier attempts included."""
        return time.monotonic() - self._start

    def forward(self, elapsed: float) -> None:
        """Be no earlier than `elapsed` seconds."""
        late = elapsed - self.elapsed
        if late <= 0:
            return
        self._start -= late
        for deadline in self._deadlines:
            if (when := deadline.when()) is not None and not deadline.expired():
                deadline.reschedule(when - late)

    @contextmanager
    def keeping(self, deadline: asyncio.Timeout) -> Generator[None]:
        """Have `deadline`, which was entered, come as much sooner as the clock is put forward."""
        self._deadlines.append(deadline)
        try:
            yield
        finally:
            self._deadlines.remove(deadline)
