"""The sandbox for programs that mean no harm, and where there can be none."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from reasoner.errors import ConfigError
from reasoner.sandbox import Limits, ProgramOutcome, Status, run, seccomp

CORES = len(os.sched_getaffinity(0))
bubblewrap = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match="not of 'pdp11'"):
        seccomp.program("pdp11")


@bubblewrap
async def test_python_source() -> None:
    outcome = await run("import sys; print(sys.stdin.read().upper())", stdin="straße\n")
    assert (outcome.status, outcome.code, outcome.stderr) == (Status.PASSED, 0, "")
    assert outcome.stdout == "STRASSE\n\n"


@bubblewrap
async def test_nothing_of_the_callers_environment_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/no/such/library.so")
    outcome = await run("import os; print(sorted(os.environ))")
    assert outcome.stderr == "" and "LD_PRELOAD" not in outcome.stdout


@bubblewrap
async def test_source_and_input_of_any_length() -> None:
    source = f"import sys\ntext = '{'x' * 2**20}'\nprint(len(text) + len(sys.stdin.read()))"
    assert (await run(source, stdin="y" * 2**20)).stdout == f"{2**21}\n"


@bubblewrap
async def test_failures_are_told_as_they_are() -> None:
    wrong = await run("1 / 0")
    assert (wrong.status, wrong.code) == (Status.FAILED, 1)
    assert wrong.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert (await run("import sys; sys.exit(7)")).code == 7
    killed = await run("import os; os.kill(os.getpid(), 9)")
    assert (killed.status, killed.code) == (Status.FAILED, 128 + 9)
    assert (await run(["no-such-command"])).status is Status.FAILED


@bubblewrap
async def test_the_standard_library_works() -> None:
    source = """
import bz2, ctypes, hashlib, lzma, math, multiprocessing, sqlite3, ssl, tempfile, threading, zlib
from concurrent.futures import ThreadPoolExecutor
with tempfile.TemporaryFile() as f, ThreadPoolExecutor(2) as pool, multiprocessing.Lock():
    print(f.write(b"abc"), sum(pool.map(abs, [-1, 2])), list({"a", "b", "c"}))
"""
    first, again = await asyncio.gather(run(source), run(source))
    assert first.stdout.startswith("3 3 [")
    assert first.stdout == again.stdout, "sets of strings keep their order"


@bubblewrap
@pytest.mark.alone
async def test_waiting_for_a_turn_is_not_timed() -> None:
    start = time.monotonic()
    outcomes = await asyncio.gather(
        *(run("import time; time.sleep(0.3)") for _ in range(5 * CORES))
    )
    taken = time.monotonic() - start
    assert {outcome.status for outcome in outcomes} == {Status.PASSED}
    assert taken >= 5 * 0.3, "no more than the processors at once"
    assert max(outcome.seconds for outcome in outcomes) < taken / 2


@bubblewrap
def test_one_event_loop_after_another() -> None:
    async def crowd() -> list[ProgramOutcome]:
        return await asyncio.gather(*(run("print(1)") for _ in range(CORES + 1)))

    for _ in range(2):
        assert [o.stdout for o in asyncio.run(crowd())] == ["1\n"] * (CORES + 1)


@bubblewrap
@pytest.mark.alone
async def test_ten_runs_a_second_on_each_core() -> None:
    if os.getloadavg()[0] > CORES / 2:
        pytest.skip("this machine is busy")
    start = time.monotonic()
    await asyncio.gather(*(run("print(1)") for _ in range(10 * CORES)))
    assert time.monotonic() - start < 1


async def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError) as error:
        await run("print(1)")
    for word in ("bwrap", "apt install bubblewrap", "dnf install bubblewrap", "sandbox='none'"):
        assert word in str(error.value)


async def test_where_bubblewrap_is_not_allowed_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusal = tmp_path / "bwrap"
    refusal.write_text("#!/bin/sh\necho bwrap: No permissions to create new namespace >&2; exit 1")
    refusal.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ConfigError, match=r"cannot make a sandbox here: bwrap: No permissions"):
        await run("print(1)")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to lose")
async def test_none_runs_nothing_that_only_root_may_run(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ConfigError, match="does not run programs as root"):
        await run([str(shutil.copy("/bin/sh", tmp_path))], sandbox="none")


def test_limits_are_checked() -> None:
    with pytest.raises(ValidationError, match="memory"):
        Limits(memory=0)
