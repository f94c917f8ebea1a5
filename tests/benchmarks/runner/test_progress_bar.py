"""Progress: a bar that fits its window, and lines where there is none."""

from __future__ import annotations

import re
import threading
from io import StringIO

import pytest

from reasoner.benchmarks.runner.progress_bar import Counts, Meter, ProgressLines
from reasoner.benchmarks.store.records import Record, Spec, Spend
from reasoner.terminal import SafeConsole

SPEC = Spec(
    task="a-task-with-a-long-name", strategy="step-rejection(threshold=0.75,attempts=12)", n=16,
    backend="vllm", verifier="calibrated(verdict)",
)  # fmt: skip


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def record(correct: bool = True, tokens: float = 1000, error: str | None = None) -> Record:
    return Record(
        problem="p", index=0, correct=correct, spend=Spend(generated_tokens=tokens), error=error
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_bar_fits_its_window(width: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "reasoner")
    shown = StringIO()
    console = SafeConsole(file=shown, width=width, force_terminal=True, color_system=None)
    with Meter(console) as meter:
        meter.start(1000, 16_000)
        for _ in range(999):
            meter.advance(SPEC, record(tokens=1))
    lines = [
        re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", part)
        for part in re.split(r"[\r\n]", shown.getvalue())
    ]
    assert all(len(line) <= width for line in lines)
    last = next(line for line in reversed(lines) if line.strip())
    assert re.search(r"a.*… .* 999/1000 +100\.0% +[\d,]+ tok/s +ETA +[-\d]", last), last


def test_a_line_counts_what_is_finished() -> None:
    clock = Clock()
    counts = Counts(clock)
    counts.start(4, 64)
    assert str(counts) == "0/4 problems, - right, 0 tokens/s, ETA -"
    clock.now += 90
    for each in (record(), record(False), record(False, error="the server is busy")):
        counts.add(SPEC, each)
    assert str(counts) == "3/4 problems, 1 failed, 50.0% right, 33 tokens/s, ETA 0:00:30"


def test_lines_come_after_each_part_but_not_all_at_once() -> None:
    clock, said = Clock(), list[str]()
    counts = Counts(clock)
    counts.start(100, 1600)
    lines = ProgressLines(counts, said.append)
    for _ in range(100):
        clock.now += 2
        counts.add(SPEC, record())
        lines.advance()
    assert [line.partition("/")[0] for line in said] == [str(n) for n in range(5, 101, 5)]
    counts.add(SPEC, record())
    lines.advance()
    assert len(said) == 20


def test_a_run_that_finishes_nothing_is_seen_to_be_alive() -> None:
    counts, twice, said = Counts(), threading.Event(), list[str]()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            twice.set()

    counts.start(5, 5)
    lines = ProgressLines(counts, say, every=0.01)
    lines.start()
    assert twice.wait(10)
    lines.stop()
    assert set(said) == {"0/5 problems, - right, 0 tokens/s, ETA -"}


def test_lines_and_messages_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "reasoner")
    clock, shown = Clock(), StringIO()
    with Meter(SafeConsole(file=shown, width=80), Counts(clock)) as meter:
        meter.start(2, 32)
        clock.now += 10
        meter.advance(SPEC, record())
        meter.tell("a message")
    assert caplog.record_tuples == [
        ("reasoner.progress", 20, "1/2 problems, 100.0% right, 100 tokens/s, ETA 0:00:10"),
        ("reasoner.runner", 30, "a message"),
    ]
    assert shown.getvalue() == ""


def test_a_short_run_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "reasoner")
    with Meter(SafeConsole(file=StringIO()), Counts(Clock())) as meter:
        meter.start(2, 32)
        meter.advance(SPEC, record())
        meter.advance(SPEC, record())
    assert caplog.records == []


@pytest.mark.parametrize("level", ["INFO", "WARNING"])
def test_a_library_that_logs_nothing_shows_no_bar(
    level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(level, "reasoner")
    shown = StringIO()
    with Meter(SafeConsole(file=shown, width=80, force_terminal=True)) as meter:
        meter.start(1, 1)
    assert bool(shown.getvalue()) == (level == "INFO")
