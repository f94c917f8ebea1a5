"""A watched process ends with its watcher, however that ends."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reasoner.watchdog import Watchdog

PARENT = """
import subprocess, sys, time
from reasoner.watchdog import Watchdog
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
watchdog = Watchdog()
watchdog.watch(child.pid)
print(child.pid, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Wait until a process is gone."""
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_watched_die_with_their_watcher(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.send_signal(number)
    assert gone(child)


def test_a_closed_watchdog_kills_nothing() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        watchdog = Watchdog()
        watchdog.watch(child.pid)
        watchdog.close()
        time.sleep(0.1)
        assert child.poll() is None
        child.kill()


def test_children_are_watched_by_name_from_their_start() -> None:
    watchdog = Watchdog()
    context = multiprocessing.get_context("spawn")
    named = [context.Process(target=time.sleep, args=(600,), name=n) for n in ("Core-1", "Mine")]
    with watchdog.starting("Core"):
        for child in named:
            child.start()
    watchdog.kill()
    named[0].join(10)
    assert named[0].exitcode == -signal.SIGKILL
    assert named[1].exitcode is None
    named[1].kill()
    named[1].join()
