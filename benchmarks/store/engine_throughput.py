"""Throughput of a run's engine: output tokens per second, on average and at the peak."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, FiniteFloat

from reasoner.benchmarks.store.records import Size
from reasoner.benchmarks.store.sessions import read_sessions
from reasoner.events import Result
from reasoner.files import save_json
from reasoner.schema import Frozen

if TYPE_CHECKING:
    from reasoner.benchmarks.stats.arrays import Floats

WINDOW = 10.0
"""Seconds over which a peak is taken, at least."""
FILE = "throughput.json"
EVERY = 30.0
"""Seconds after which a session's throughput is kept again: what a killed run loses of it at most."""
SHORTEST = 1e-6
"""Seconds that a call takes at least, so that its tokens a second are finite."""


class Session(Frozen):
    """Output tokens of one session of a run, in the seconds from its first call to the end of its last.

    `peak` is the most tokens a second over `window` seconds or more, or over all if they are fewer, as
    far as the calls tell (`busiest`).
    """

    tokens: Size
    seconds: FiniteFloat = Field(gt=0)
    peak: FiniteFloat
    window: FiniteFloat


class Throughput(Frozen):
    """Output tokens a second over all `sessions` of a run, and in the busiest `window` of them."""

    sessions: int
    tokens: int
    seconds: float
    mean: float
    peak: float
    window: float

    def __str__(self) -> str:
        busy = f", {self.peak:,.0f} at the peak of {self.window:.3g} s or more"
        return (
            f"engine: {self.mean:,.0f} output tokens a second ({self.tokens:,} in {self.seconds:,.3g} s)"
            + (busy if self.window < self.seconds else "")
        )


CallTime = tuple[float, float, int]
"""Begin and end of a call, as seconds before the end of its run, and its output tokens."""


def call_times(result: Result) -> list[CallTime]:
    """Return the calls of a run that decoded anything."""
    left = [(result.seconds - call.elapsed, call) for call in result.calls]
    return [
        (ended + call.seconds, ended, call.usage.completion_tokens)
        for ended, call in left
        if call.usage.completion_tokens
    ]


class EngineUse:
    """Collects the model calls of finished problems: when each began and ended, and what it decoded."""

    def __init__(self) -> None:
        self._calls = array("d")
        self._earlier: list[Session] = []
        self._out: Path | None = None
        self._due = 0.0

    def keep(self, out: Path) -> None:
        """Keep the session in `out` from now on, beside earlier ones: `EVERY` seconds, and at each `save`.

        Raises:
            StoreError: the file of earlier sessions is corrupt.
        """
        self._earlier, self._out = read_sessions(Session, out / FILE), out
        self._due = time.monotonic() + EVERY

    def add(self, result: Result) -> None:
        """Enter the calls of a run that ended just now."""
        self.enter(call_times(result))

    def enter(self, calls: Iterable[CallTime]) -> None:
        """Enter the calls of a run that ended just now, perhaps on another machine."""
        now = time.monotonic()
        for began, ended, tokens in calls:
            self._calls.extend((now - began, now - ended, tokens))
        if self._out and now > self._due:
            self.save()
            self._due = time.monotonic() + EVERY

    def save(self) -> None:
        """Bring what is kept up to date; without a place to keep it, or anything decoded, do nothing."""
        session = self.session()
        if self._out and session:
            save_json([s.model_dump() for s in (*self._earlier, session)], self._out / FILE)

    def session(self) -> Session | None:
        """Return the throughput of these calls; None if nothing was decoded."""
        if not self._calls:
            return None
        import numpy as np  # Only a run with calls needs it.

        began, ended, tokens = np.array(self._calls).reshape(-1, 3).T
        ended = np.maximum(ended, began + SHORTEST)
        seconds = float(ended.max() - began.min())
        window = min(WINDOW, seconds)
        total = int(tokens.sum())
        most = busiest(began, ended, tokens, window)
        return Session(tokens=total, seconds=seconds, peak=most, window=window)


def busiest(began: Floats, ended: Floats, tokens: Floats, window: float) -> float:
    """The most tokens a second that the engine must have decoded over a stretch of `window` seconds or more.

    A call waits before it is decoded, and nothing tells how long. But its tokens came between its ends:
    those of all calls that began and ended within a stretch were decoded in it. Stretches are looked at
    in lengths that grow by a tenth, so that the most may be so much higher.
    """
    import numpy as np

    first, last = np.argsort(began), np.argsort(ended)
    whole = float(ended[last[-1]] - began[first[0]])
    lengths = np.geomspace(window, whole, 1 + int(np.ceil(np.log(whole / window) / np.log(1.1))))
    most = 0.0
    for length in lengths * (1 + SHORTEST):
        short = ended - began <= length
        starts, ends = first[short[first]], last[short[last]]
        if ends.size:
            # Of calls so short, those that began before a stretch are over at its end.
            before = np.searchsorted(began[starts], ended[ends] - length)
            begun = np.concatenate([[0.0], np.cumsum(tokens[starts])])
            most = max(most, float((np.cumsum(tokens[ends]) - begun[before]).max()) / length)
    return most


def throughput(out: Path) -> Throughput | None:
    """Return the throughput of the run in `out`; None if it is unknown.

    Raises:
        StoreError: its file is corrupt.
    """
    sessions = read_sessions(Session, out / FILE)
    if not sessions:
        return None
    tokens, seconds = sum(s.tokens for s in sessions), sum(s.seconds for s in sessions)
    top = max(sessions, key=lambda s: s.peak)
    uses: dict[str, Any] = {"sessions": len(sessions), "tokens": tokens, "seconds": seconds}
    return Throughput(**uses, mean=tokens / seconds, peak=top.peak, window=top.window)
