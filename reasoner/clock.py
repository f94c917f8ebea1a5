"""A clock for runs that are resumed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager


class Clock:
    """Measures how long a run has worked; a resumed run starts where the earlier one stopped."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._deadlines = list[asyncio.Timeout]()

    @property
    def elapsed(self) -> float:
        """Return the seconds since the start, those of earlier attempts included."""
        return time.monotonic() - self._start

    def forward(self, elapsed: float) -> None:
        """Set the clock to `elapsed` seconds, unless it is later already; deadlines come sooner with it."""
        late = elapsed - self.elapsed
        if late <= 0:
            return
        self._start -= late
        for deadline in self._deadlines:
            if (when := deadline.when()) is not None and not deadline.expired():
                deadline.reschedule(when - late)

    @contextmanager
    def keeping(self, deadline: asyncio.Timeout) -> Generator[None]:
        """Bring an entered `deadline` forward whenever the clock is."""
        self._deadlines.append(deadline)
        try:
            yield
        finally:
            self._deadlines.remove(deadline)
