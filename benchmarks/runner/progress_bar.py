"""The progress bar: on standard error, and only where somebody watches."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reasoner.benchmarks.store.records import Record, Spec
from reasoner.printable import one_line
from reasoner.terminal import SafeConsole


class Meter:
    """Counts what is finished; the bar moves by samples, so that its ETA means something."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or SafeConsole(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[done]}/{task.fields[jobs]} problems"),
            TextColumn("{task.fields[rate]:,.0f} tok/s"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("starting", done=0, jobs=0, rate=0.0)
        self._tokens = 0.0
        self._done = 0

    def start(self, jobs: int, samples: int) -> None:
        """Say how much there is to do."""
        self._bar.reset(self._task, total=samples, done=0, jobs=jobs, rate=0.0)

    def advance(self, spec: Spec, record: Record) -> None:
        """Count one finished problem."""
        self._done += 1
        self._tokens += record.spend.generated_tokens
        elapsed = self._bar.tasks[self._task].elapsed
        rate = self._tokens / elapsed if elapsed else 0.0
        self._bar.update(
            self._task, advance=spec.n, description=one_line(spec.label), done=self._done, rate=rate
        )

    def tell(self, text: str) -> None:
        """Say something above the bar."""
        line = one_line(f"reasoner: {text}")
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._bar.stop()
