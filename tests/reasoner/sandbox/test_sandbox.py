"""The sandbox's defences against harmful programs; each leaves no process behind."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

import pytest

from reasoner.sandbox import Limits, ProgramOutcome, Status, run, seccomp

CORES = len(os.sched_getaffinity(0))
GIB = 2**30
bubblewrap = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


def alive(marker: str) -> list[Path]:
    """The processes that have `marker` on their command line, which children inherit."""
    found = list[Path]()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if marker.encode() in (process / "cmdline").read_bytes():
                found.append(process)
    return found


def soon(holds: Callable[[], bool], seconds: float = 20) -> bool:
    """Return True if something becomes true in time."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.01)
    return held


@pytest.fixture
def marker() -> Iterator[str]:
    """A word to know a program's processes by; at the end of the test, there must be none."""
    word = f"marker-{uuid4()}"
    yield word
    assert not alive(word)


async def inside(source: str, marker: str, **limits: float) -> ProgramOutcome:
    """Return the outcome of Python source that contains the marker."""
    command = ["python3", "-c", dedent(source), marker]
    return await run(command, limits=Limits(**limits))  # type: ignore[arg-type]


# -- programs that mean harm ----------------------------------------------------------------------


@bubblewrap
async def test_fork_bomb(marker: str) -> None:
    bomb = """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """
    outcome = await inside(bomb, marker, seconds=1)
    assert outcome.status is Status.SECONDS and outcome.code is None


@bubblewrap
@pytest.mark.parametrize("processes", [1, 4])
async def test_processes_are_counted(marker: str, processes: int) -> None:
    fork = """
        import os, time
        for number in range(1, 1000):
            print(number, flush=True)
            if not os.fork():
                time.sleep(60)
        """
    outcome = await inside(fork, marker, processes=processes)
    assert outcome.status is Status.PROCESSES
    assert outcome.stdout.split()[-1] == str(processes)


@bubblewrap
async def test_daemons_die_with_the_program(marker: str) -> None:
    daemon = """
        import os, time
        if not os.fork():
            os.setsid()
            if not os.fork():
                time.sleep(60)
        """
    assert (await inside(daemon, marker)).status is Status.PASSED


@bubblewrap
@pytest.mark.parametrize("deaf", [False, True])
async def test_endless_loop(marker: str, deaf: bool) -> None:
    ignore = "signal.signal(signal.SIGXCPU, signal.SIG_IGN)" if deaf else ""
    outcome = await inside(
        f"import signal; {ignore}\nwhile True: pass", marker, cpu_seconds=1, seconds=60
    )
    if deaf:
        assert (outcome.status, outcome.code) == (Status.FAILED, 128 + signal.SIGKILL)
    else:
        assert outcome.status is Status.CPU_SECONDS


@bubblewrap
async def test_endless_sleep(marker: str) -> None:
    outcome = await inside(
        "print('so far', flush=True); import time; time.sleep(60)", marker, seconds=1.5
    )
    assert outcome.status is Status.SECONDS
    assert outcome.stdout == "so far\n"
    assert 1.5 <= outcome.seconds < 30


@bubblewrap
@pytest.mark.parametrize(
    "allocation",
    [
        "bytearray(10 * 2**30)",
        "import mmap; mmap.mmap(-1, 10 * 2**30)",
        "kept = []\nwhile True: kept.append(bytes(2**24))",
    ],
)
async def test_ten_gigabytes_of_memory(marker: str, allocation: str) -> None:
    assert (await inside(allocation, marker)).status is Status.MEMORY


@bubblewrap
@pytest.mark.parametrize(
    ("writing", "status"),
    [
        ("open('/tmp/x', 'wb').truncate(10 * 2**30)", Status.FILE_SIZE),
        ("f = open('/tmp/x', 'wb')\nwhile True: f.write(bytes(2**20))", Status.FILE_SIZE),
        ("for i in range(1280): open(f'/tmp/{i}', 'wb').write(bytes(2**23))", Status.SCRATCH),
        ("for i in range(1280): open(f'/dev/shm/{i}', 'wb').write(bytes(2**23))", Status.SCRATCH),
    ],
)
async def test_ten_gigabytes_of_files(marker: str, writing: str, status: Status) -> None:
    assert (await inside(writing, marker)).status is status


@bubblewrap
async def test_network(marker: str) -> None:
    """Neither the internet nor a server on this machine, by address or by name of a socket."""
    name = f"\0{uuid4()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(name)
        local.listen()
        reach = f"""
            import socket
            for kind, where in [
                (socket.AF_INET, ("1.1.1.1", 53)),
                (socket.AF_INET, {server.getsockname()}),
                (socket.AF_UNIX, {name!r}),
            ]:
                try:
                    socket.socket(kind).connect(where)
                    print("reached", where)
                except OSError as e:
                    print(type(e).__name__)
            """
        outcome = await inside(reach, marker)
    assert outcome.stdout.split() == ["PermissionError"] * 3


@bubblewrap
async def test_reading_outside_its_root(marker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "a secret of this process")
    places = ["/etc/passwd", "/etc/shadow", "/root", "/home", "/proc", "/sys", "/var", "/run"]
    places += [str(Path(__file__).resolve()), str(Path(__file__).resolve().parents[2])]
    read = f"""
        import os
        for place in {places}:
            try:
                print(os.listdir(place) if os.path.isdir(place) else open(place).read())
            except OSError:
                pass
        print(*os.environ)
        print(*(fd for fd in range(3, 64) if os.path.exists(fd)))
        """
    outcome = await inside(read, marker)
    assert outcome.status is Status.PASSED
    environment, descriptors = outcome.stdout.split("\n")[:2]
    assert "TOKEN" not in environment.split() and "HOME" in environment.split()
    assert not descriptors


@bubblewrap
async def test_writing_to_the_system(marker: str) -> None:
    name = f"written-{uuid4()}"
    write = f"""
        import os, sys
        for place in ["/", "/usr", "/usr/bin", "/dev", "/python", "/python/lib", "/tmp"]:
            try:
                open(os.path.join(place, {name!r}), "w")
                print(place)
            except OSError:
                pass
        for kept in ["/usr/bin/env", sys.executable, "/python"]:
            for harm in (os.remove, os.rmdir, lambda p: os.chmod(p, 0o777), lambda p: open(p, "a")):
                try:
                    harm(kept)
                    print("harmed", kept)
                except OSError:
                    pass
        """
    outcome = await inside(write, marker)
    assert outcome.stdout == "/tmp\n"
    assert not (Path("/tmp") / name).exists()


PARENT = """
import asyncio, sys
from reasoner.sandbox import run
print(flush=True)
asyncio.run(run(["python3", "-c", "import os, time; os.fork(); time.sleep(60)", sys.stdin.read()]))
"""


def parent(marker: str) -> subprocess.Popen[bytes]:
    """A process about to start one in the sandbox; its own command line has no marker."""
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=-1, stdout=-1)
    assert process.stdin and process.stdout
    process.stdin.write(marker.encode())
    process.stdin.close()
    process.stdout.readline()
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a parent; returns when what it had begun to start is there to be seen, or killed too.

    The shell that kills for it holds its standard output, and waits for what has not yet started.
    """
    assert process.stdout
    process.kill()
    process.stdout.read()


@bubblewrap
def test_killed_parent(marker: str) -> None:
    with parent(marker) as process:
        assert soon(lambda: len(alive(marker)) >= 4)
        kill(process)
    assert soon(lambda: not alive(marker))


@bubblewrap
@pytest.mark.parametrize("delay", [0.005, 0.01, 0.02])
def test_parent_killed_while_it_starts(marker: str, delay: float) -> None:
    with parent(marker) as process:
        time.sleep(delay)
        kill(process)
    assert soon(lambda: not alive(marker))


@bubblewrap
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_output_flood(marker: str, stream: str) -> None:
    flood = f"import sys\nwhile True: sys.{stream}.write('x' * 1000)"
    outcome = await inside(flood, marker, output=5000)
    assert outcome.status is Status.OUTPUT and outcome.code is None
    assert getattr(outcome, stream) == "x" * 5000


@bubblewrap
async def test_both_streams_may_be_full_and_no_more(marker: str) -> None:
    fill = "import sys\nfor s in (sys.stderr, sys.stdout): s.write('x' * 2**16)"
    outcome = await inside(fill, marker, output=2**16)
    assert outcome.status is Status.PASSED
    assert len(outcome.stdout) == len(outcome.stderr) == 2**16


@bubblewrap
async def test_system_calls_that_are_refused(marker: str) -> None:
    numbers = [call[platform.machine()] for call in seccomp.REFUSED.values()]
    refused = f"""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        for number in {numbers}:
            print(libc.syscall(number, 0, 0, 0, 0, 0), ctypes.get_errno())
        print(libc.unshare(0x10000000))
        """
    outcome = await inside(refused, marker)
    assert outcome.stdout.splitlines() == ["-1 1"] * len(numbers) + ["-1"]


# -- programs whose time is cut short --------------------------------------------------------------


@bubblewrap
async def test_cancelling_ends_it(marker: str) -> None:
    task = asyncio.create_task(inside("import os, time; os.fork(); time.sleep(60)", marker))
    assert await asyncio.to_thread(soon, lambda: len(alive(marker)) >= 4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(marker)
    assert len(asyncio.all_tasks()) == 1


@bubblewrap
@pytest.mark.parametrize("delay", [0, 0.001, 0.004, 0.01])
async def test_cancelling_while_it_starts(marker: str, delay: float) -> None:
    task = asyncio.create_task(inside("import time; time.sleep(60)", marker))
    await asyncio.sleep(delay)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(marker)


# -- no sandbox -----------------------------------------------------------------------------------


async def test_none_by_name_keeps_limits_and_takes_no_root(marker: str) -> None:
    limits = Limits(seconds=0.5)
    sleepers = ["/bin/sh", "-c", "id -u; sleep 60 & sleep 60", marker]
    outcome = await run(sleepers, limits=limits, sandbox="none")
    assert outcome.status is Status.SECONDS
    assert outcome.stdout.strip() not in ("", "0")
    big = await run(["/bin/sh", "-c", "ulimit -v; ulimit -f; ulimit -t"], sandbox="none")
    assert big.stdout.split() == ["524288", "32768", "5"]
