"""Bounds on the kernel's resources: sockets, their buffers, files without bytes."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from textwrap import dedent

import pytest

from reasoner.sandbox import Limits, ProgramOutcome, Status, run

pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")

WRITABLE = "import os\nos.chdir('/tmp')\nopen('first', 'w')\nnumber = 1\n"
BUFFER = 256 * 1024
"""More than the kernel's default for a socket."""


async def inside(source: str, **limits: int) -> ProgramOutcome:
    return await run(dedent(source), limits=Limits(seconds=60, **limits))


# -- families of sockets --------------------------------------------------------------------------


async def test_no_socket_of_any_family() -> None:
    source = """
        import socket
        for family in range(64):
            for kind in range(1, 7):
                for protocol in (0, 1, 6, 17):
                    try:
                        socket.socket(family, kind, protocol)
                        print("a socket of family", family)
                    except PermissionError:
                        pass
        print("none")
        """
    assert (await inside(source)).stdout == "none\n"


@pytest.mark.skipif(not hasattr(socket, "AF_VSOCK"), reason="this Python knows no AF_VSOCK")
async def test_no_way_to_the_host_of_a_virtual_machine() -> None:
    source = "import socket\nsocket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((2, 1024))"
    outcome = await inside(source)
    assert outcome.stderr.endswith("PermissionError: [Errno 1] Operation not permitted\n")


async def test_pairs_of_sockets_are_of_one_family() -> None:
    source = """
        import asyncio, ctypes, multiprocessing, socket
        libc = ctypes.CDLL(None, use_errno=True)
        pair = (ctypes.c_int * 2)()
        for family in [*range(64), socket.AF_UNIX | 1 << 31]:
            made = libc.socketpair(family, 1, 0, pair)
            if made == 0 or ctypes.get_errno() != 1: print(family)
        ours, theirs = multiprocessing.Pipe()
        ours.send("a message")
        print(theirs.recv(), asyncio.run(asyncio.sleep(0, "in a loop")))
        """
    assert (await inside(source)).stdout == f"{socket.AF_UNIX:d}\na message in a loop\n"


# -- buffers --------------------------------------------------------------------------------------


async def test_no_buffer_grows_and_no_descriptor_lies_in_one() -> None:
    source = """
        import array, fcntl, os, socket
        one, other = socket.socketpair()
        def attempt(call, *args):
            try: print(call.__name__, call(*args))
            except PermissionError: print("refused")
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF, 32, 33):
            attempt(one.setsockopt, socket.SOL_SOCKET, option, 2**22)
        attempt(socket.send_fds, one, [b"x"], [0])
        attempt(fcntl.fcntl, os.pipe()[1], 1031, 2**20)
        print(fcntl.fcntl(os.pipe()[1], 1032))
        """
    assert (await inside(source)).stdout.split() == ["refused"] * 6 + ["65536"]


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"])
@pytest.mark.parametrize("size", [1, 4096])
async def test_full_sockets(kind: str, size: int) -> None:
    source = f"""
        import socket
        sockets, count, sent = [], 0, 0
        try:
            while True: sockets += socket.socketpair(socket.AF_UNIX, socket.{kind})
        except OSError as error:
            print(error.errno, len(sockets))
        for one in sockets:
            one.setblocking(False)
            try:
                while True: sent += one.send(bytes({size}))
            except BlockingIOError:
                pass
        print(sent)
        """
    outcome = await inside(source, open_files=24)
    error, count, sent = map(int, outcome.stdout.split())
    assert (error, count) == (24, 20)
    assert 0 < sent <= count * BUFFER


async def test_full_pipes() -> None:
    source = """
        import os
        ends, sent = [], 0
        try:
            while True: ends.append(os.pipe())
        except OSError as error:
            print(error.errno, len(ends))
        for _, end in ends:
            os.set_blocking(end, False)
            try:
                while True: sent += os.write(end, bytes(4096))
            except BlockingIOError:
                pass
        print(sent)
        """
    outcome = await inside(source, open_files=24)
    error, count, sent = map(int, outcome.stdout.split())
    assert (error, count) == (24, 10)
    assert 0 < sent <= count * 65536


# -- files without bytes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "making",
    [
        "open(f'{number}', 'w').close()",
        "os.mkdir(f'{number}')",
        "os.symlink('x' * 60, f'{number}')",
        "os.link('first', f'{number}')",
        "os.mkfifo(f'{number}')",
        "os.setxattr('first', f'user.{number}', b'x' * 1000)",
        "os.makedirs('/'.join('d' * 9)) if number == 1 else open(f'd/d/d/{number}', 'w').close()",
        "open(f'/dev/shm/{number}', 'w').close()",
    ],
)
async def test_files_are_counted(making: str) -> None:
    if "setxattr" in making and not xattrs():
        pytest.skip("this kernel keeps no attributes in memory")
    outcome = await inside(
        f"{WRITABLE}while True:\n    {making}\n    number += 1\n    print(number)", files=100
    )
    assert outcome.status is Status.SCRATCH
    assert 80 <= int(outcome.stdout.split()[-1]) <= 110


def xattrs() -> bool:
    """Return True if tmpfs has user attributes, as in Linux 6.6 and later."""
    release = Path("/proc/sys/kernel/osrelease").read_text().split(".")
    return (int(release[0]), int(release[1])) >= (6, 6)


async def test_open_files_without_a_name_are_counted() -> None:
    source = f"{WRITABLE}kept = []\n" + (
        "while True:\n    kept.append(os.open('.', os.O_TMPFILE | os.O_RDWR))\n    print(len(kept))"
    )
    outcome = await inside(source, files=30, open_files=64)
    assert outcome.status is Status.SCRATCH and int(outcome.stdout.split()[-1]) <= 30


async def test_the_default_is_enough_and_bounded() -> None:
    source = f"{WRITABLE}for i in range(4000): open(str(i), 'w').close()\nprint(len(os.listdir()))"
    assert (await inside(source)).stdout == "4001\n"
    endless = f"{WRITABLE}while True:\n    open(f'{{number}}', 'w').close()\n    number += 1"
    assert (await inside(endless)).status is Status.SCRATCH
