"""Workers on a Ray cluster: killed workers and killed drivers change nothing."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

import pytest

from tests.benchmarks.runner.test_kill import BENCH, told, traced
from tests.benchmarks.tables import finished, sql
from tests.benchmarks.workers.crew import ANSWERED, noting

spawned = multiprocessing.get_context("spawn")
"""Ray starts threads, with which no process should be forked."""


def bench(out: Path, *more: str) -> BaseProcess:
    """Start a benchmark in a process of its own."""
    run: BaseProcess = spawned.Process(target=traced, args=([*BENCH, *more, "--out", str(out)],))
    run.start()
    return run


def ended(run: BaseProcess) -> None:
    """Wait for a benchmark that ends well."""
    run.join()
    assert run.exitcode == 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one process without workers."""
    out = noting(tmp_path_factory.mktemp("whole"))
    ended(bench(out))
    return out


def same(out: Path, whole: Path) -> None:
    """Compare all records, trees and calls with those of one process."""
    assert told(out) == told(whole)
    answered = sql(out, ANSWERED)
    assert len(answered) == len(set(answered)), "a finished call was paid twice"
    assert answered == sql(whole, ANSWERED)
    assert sql(out, "SELECT * FROM calls") == []


def worker_processes() -> list[int]:
    """Return the processes of Ray's workers of the run."""
    found = list[int]()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "cmdline").read_bytes().startswith(b"ray::RayWorker"):
                found.append(int(folder.name))
    return found


def until_more(out: Path, run: BaseProcess, more: int) -> None:
    """Wait until some further calls are kept."""
    before = len(sql(out, ANSWERED))
    while run.is_alive() and len(sql(out, ANSWERED)) < before + more:
        time.sleep(0.005)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("engines", "kills"),
    [
        (2, 1),
        (4, 1),
        pytest.param(2, 10, marks=pytest.mark.slow),
        pytest.param(4, 10, marks=pytest.mark.slow),
    ],
)
def test_killed_workers_and_drivers_change_nothing(
    tmp_path: Path, cluster: str, whole: Path, engines: int, kills: int
) -> None:
    moment, out = Random(engines * kills), noting(tmp_path)
    workers = ["--workers", f"ray:{cluster}(engines={engines})"]
    killed = 0
    for _ in range(kills):
        run = bench(out, *workers)
        until_more(out, run, moment.randrange(1, 30))
        if processes := worker_processes():
            os.kill(moment.choice(processes), signal.SIGKILL)
            killed += 1
        until_more(out, run, moment.randrange(1, 30))
        if not run.is_alive():
            break
        assert run.pid
        os.kill(run.pid, signal.SIGKILL)
        run.join()
    assert killed
    assert sql(out, ANSWERED)  # Else the next run would have nothing to go on from.
    assert finished(out) <= finished(whole)
    ended(bench(out, *workers))
    same(out, whole)
