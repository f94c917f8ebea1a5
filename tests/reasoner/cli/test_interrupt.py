"""Ctrl-C with a live engine: it stops at once, keeps what is finished, leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reasoner.models import engine_process
from tests import engines, models
from tests.benchmarks.tables import finished, sql

pytestmark = [pytest.mark.engine, engines.VLLM, pytest.mark.alone, pytest.mark.timeout(300)]


def descendants(root: int) -> set[int]:
    """Every living process below `root`."""
    parents = dict[int, int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found = {root}
    while more := {p for p, above in parents.items() if above in found} - found:
        found |= more
    return found - {root}


def engine_cores(root: int) -> list[int]:
    """The processes of vLLM's engine among those below `root`."""
    named = [(p, Path(f"/proc/{p}/comm").read_text()) for p in descendants(root)]
    found = [pid for pid, name in named if name.startswith("VLLM::")]
    assert found, named
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_ctrl_c_stops_a_benchmark_within_two_seconds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reasoner", "bench", "--task", "dagmath", "--strategy",
               "best-of-n", "--n", "8", "--problems", "400", "--out", str(tmp_path)]  # fmt: skip
    env = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as bench:
        while finished(tmp_path) < 3:
            assert bench.poll() is None, bench.stderr and bench.stderr.read()
            time.sleep(0.1)
        engine = descendants(bench.pid)
        assert engine
        bench.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, told = bench.communicate(timeout=10)
        assert time.monotonic() - started < 2
    assert bench.returncode == 130
    assert "interrupted; what was finished is kept" in told
    assert "Traceback" not in told
    while time.monotonic() < started + 4 and any(map(alive, engine)):
        time.sleep(0.02)  # The kernel ends them after the benchmark itself.
    assert not [pid for pid in engine if alive(pid)]
    assert 3 <= finished(tmp_path) < 400


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_engine_is_started_again_and_its_problems_go_on(tmp_path: Path) -> None:
    out, model = tmp_path / "out", str(models.qwen3(tmp_path / "model"))
    command = [sys.executable, "-m", "reasoner", "bench", "--model", model, "--task", "dagmath",
               "--strategy", "best-of-n,beam", "--n", "4", "--search-n", "4", "--problems", "12",
               "--concurrency", "4", "--out", str(out), "--json"]  # fmt: skip
    env = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=env, **pipes) as bench:
        while finished(out) < 3:
            assert bench.poll() is None, bench.stderr and bench.stderr.read()
            time.sleep(0.02)
        for pid in engine_cores(bench.pid):
            os.kill(pid, signal.SIGKILL)
        shown, told = bench.communicate(timeout=500)
    assert bench.returncode == 0, told
    assert told.count("the engine died") == 1 and "starting it again, 1 of 3" in told
    assert finished(out) == 24
    assert json.loads(shown)["failures"] == []
    assert sql(out, "SELECT count(*) FROM calls") == [(0,)]


SCRIPT = """
import sys
from reasoner import Reasoner

if __name__ == "__main__":
    solver = Reasoner(sys.argv[1], task="dagmath", strategy="best-of-n(n=64)")
    solver.solve_many(["dg:b=a+c,a=1234,c=5678,d=b-a,e=d+c,f=e-b?f"] * 200)
"""


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_an_engine_ends_with_any_program_that_started_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    """A program of a user's own, which handles no signal; ended as its engine starts."""
    script = tmp_path / "program.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(models.qwen3(tmp_path / "model"))]
    env = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1"}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as program:
        # An engine that is forked comes after the process that it is forked from.
        while len(started := spawned(program.pid)) < 1 + engine_process.forks():
            assert program.poll() is None
            time.sleep(0.05)
        time.sleep(1.0)
        program.send_signal(number)
    deadline = time.monotonic() + 10
    while any(map(alive, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in started if alive(pid)]


def spawned(root: int) -> list[int]:
    """The processes below `root` that Python started by itself, an engine's among them."""
    found = list[int]()
    for pid in descendants(root):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if any(how in command for how in (b"spawn_main", b"forkserver", b"VLLM::")):
            found.append(pid)
    return found
