"""Progress: lines in the log now and then, and a bar on standard error where somebody watches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from reasoner.benchmarks.store.records import Record, Spec
from reasoner.printable import one_line
from reasoner.terminal import SafeConsole

logger = logging.getLogger("reasoner.runner")
lines = logging.getLogger("reasoner.progress")
bar = logging.getLogger("reasoner.progress.bar")
"""The bar is shown where this one is enabled for information."""
EVERY = 30.0
"""Seconds between lines, at most."""
PART = 0.05
"""The share of the problems after which a line is due earlier."""
APART = 5.0
"""Seconds between lines, at least."""


class Counts:
    """Finished problems, how many of them are right, and the tokens that they took.

    The remaining time is that of the samples: a search with many counts for as many.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.jobs = self.samples = self.done = self.sampled = self.right = self.failed = 0
        self._tokens = 0.0
        self._began = clock()
        self.detail: Callable[[], str] = str
        """Returns more for each line, of several engines for instance."""

    def start(self, jobs: int, samples: int) -> None:
        """Begin to count."""
        self.jobs, self.samples, self._began = jobs, samples, self.clock()

    def add(self, spec: Spec, record: Record) -> None:
        """Count one finished problem."""
        self.done += 1
        self.sampled += spec.n
        self.right += record.correct
        self.failed += record.error is not None
        self._tokens += record.spend.generated_tokens

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return self.clock() - self._began

    @property
    def rate(self) -> float:
        """The generated tokens a second."""
        return self._tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def accuracy(self) -> str:
        """The share of the attempted problems that are right; a dash for none."""
        attempted = self.done - self.failed
        return f"{self.right / attempted:.1%}" if attempted else "-"

    @property
    def left(self) -> str:
        """The time until the end at this pace; a dash before the first problem is finished."""
        if not self.sampled:
            return "-"
        rest = self.seconds * (self.samples - self.sampled) / self.sampled
        return str(timedelta(seconds=round(rest)))

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return (
            f"{self.done}/{self.jobs} problems{failed}, {self.accuracy} right,"
            f" {self.rate:,.0f} tokens/s, ETA {self.left}{self.detail()}"
        )


class ProgressLines:
    """Prints a line every `EVERY` seconds, and sooner after each `PART` of the problems."""

    def __init__(
        self, counts: Counts, say: Callable[[str], None], every: float = EVERY, apart: float = APART
    ) -> None:
        self._counts, self._say, self._every, self._apart = counts, say, every, apart
        self._printed, self._at = 0, counts.clock()
        self._ended = threading.Event()
        self._ticking = threading.Thread(target=self._tick, name="progress", daemon=True)

    def start(self) -> None:
        """Begin to print."""
        self._ticking.start()

    def stop(self) -> None:
        """Print nothing more."""
        self._ended.set()
        self._ticking.join()

    def advance(self) -> None:
        """Print a line if one is due."""
        part = self._counts.done - self._printed >= PART * self._counts.jobs
        if part and self._counts.clock() - self._at >= self._apart:
            self._print()

    def _tick(self) -> None:
        """Print while no problem is finished, too, so that a slow run is seen to be alive."""
        while not self._ended.wait(self._every / 10):
            if self._counts.clock() - self._at >= self._every:
                self._print()

    def _print(self) -> None:
        self._printed, self._at = self._counts.done, self._counts.clock()
        self._say(str(self._counts))


class Meter:
    """Shows what is finished; the bar moves by samples, so that its ETA means something."""

    def __init__(self, console: Console | None = None, counts: Counts | None = None) -> None:
        console = console or SafeConsole(stderr=True)
        self._counts = counts or Counts()
        self._bar = _bar(console)
        self._lines = ProgressLines(self._counts, lines.info)
        self._task = self._bar.add_task("starting", done="", right="", rate=0.0)

    def start(self, jobs: int, samples: int) -> None:
        """Say how much there is to do."""
        self._counts.start(jobs, samples)
        self._bar.reset(self._task, total=samples, done=f"0/{jobs}", right="", rate=0.0)

    def advance(self, spec: Spec, record: Record) -> None:
        """Count one finished problem."""
        counts = self._counts
        counts.add(spec, record)
        self._bar.update(
            self._task, completed=counts.sampled, description=one_line(spec.label),
            done=f"{counts.done}/{counts.jobs}", right=counts.accuracy, rate=counts.rate,
        )  # fmt: skip
        self._lines.advance()

    def tell(self, text: str) -> None:
        """Log what the run had to put up with; it is shown above the bar."""
        logger.warning("%s", one_line(text))

    def say(self, text: str) -> None:
        """Log a line of progress."""
        lines.info("%s", one_line(text))

    def add_detail(self, detail: Callable[[], str]) -> None:
        """Have lines of progress end with what `detail` returns."""
        self._counts.detail = detail

    def __enter__(self) -> Self:
        self._bar.start()
        self._lines.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._lines.stop()
        self._bar.stop()


def _bar(console: Console) -> Progress:
    """Return a bar in which only the name of the experiment gives way where the window is narrow."""
    name = Column(no_wrap=True, overflow="ellipsis", ratio=1, min_width=8)
    whole = [Column(no_wrap=True) for _ in range(5)]
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[done]}", table_column=whole[0]),
        TextColumn("{task.fields[right]}", table_column=whole[1]),
        TextColumn("{task.fields[rate]:,.0f} tok/s", table_column=whole[2]),
        TextColumn("ETA", table_column=whole[3]),
        TimeRemainingColumn(table_column=whole[4]),
        console=console,
        disable=not (console.is_terminal and bar.isEnabledFor(logging.INFO)),
        transient=True,
        expand=True,
    )
