"""A process whose output is read as it runs, and which leaves nothing behind when killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from subprocess import DEVNULL, PIPE, Popen
from typing import TypeVar

from reasoner.concurrency import gather

T = TypeVar("T")


class Flood(Exception):
    """A program wrote more output than allowed."""


@dataclass(slots=True)
class Process:
    """A command in its own process group, with its output so far.

    bwrap reports on the descriptor `status`, which is None without a sandbox. `report` holds its JSON,
    in which the few fields needed are searched as text.
    """

    popen: Popen[bytes]
    group: int
    handle: int
    """Its pidfd, which stays valid after its end."""
    status: int | None
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    report: bytearray = field(default_factory=bytearray)
    start_time: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Wall-clock time since its start."""
        return time.monotonic() - self.start_time

    @property
    def entered(self) -> bool:
        """True if the sandbox was set up and the program in it ended."""
        return b'"exit-code"' in self.report

    @property
    def code(self) -> int:
        """The exit code as in a shell: 128 plus the signal number for a killed process."""
        code = self.popen.wait()
        return code if code >= 0 else 128 - code

    async def attend(self, output: int) -> None:
        """Read its output until it ends.

        Raises:
            Flood: it wrote more than `output` bytes to one of its two streams.
        """
        assert self.popen.stdout and self.popen.stderr
        await gather(
            [
                _pour(self.popen.stdout.fileno(), self.stdout, output),
                _pour(self.popen.stderr.fileno(), self.stderr, output),
                _readable(self.handle),
            ]
        )

    async def end(self) -> None:
        """Kill it and all its children; return when they are gone, even if cancelled."""
        os.killpg(self.group, signal.SIGKILL)
        await _await_fully(self._wait_until_gone())

    async def _wait_until_gone(self) -> None:
        await _readable(self.handle)
        if self.status is not None:
            await _pour(self.status, self.report)
        if child := re.search(rb'"child-pid": *(\d+)', self.report):
            # The first process of the sandbox is the last one in it to end.
            await _wait_for_exit(int(child[1]))


def start_process(
    files: ExitStack,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int,
    passed: Sequence[int] = (),
    status: int | None = None,
) -> Process:
    """Start `command` with the descriptors `passed` open.

    It is killed when `files` is closed or when this process dies in any way. bwrap's own
    `--die-with-parent` is not enough: if bwrap dies first while it sets up the sandbox, the unfinished
    sandbox stays forever. So a shell, which leads the process group, waits until its standard input
    is closed and then kills the group.
    """
    watch = files.enter_context(
        Popen(["/bin/sh", "-c", "read _; kill -9 0"], stdin=PIPE, stderr=DEVNULL, process_group=0)
    )
    popen = files.enter_context(
        Popen(
            command, stdin=stdin, stdout=PIPE, stderr=PIPE, pass_fds=passed, env=environment,
            process_group=watch.pid,
        )
    )  # fmt: skip
    handle = os.pidfd_open(popen.pid)
    files.callback(os.close, handle)
    return Process(popen, watch.pid, handle, status)


def memory(files: ExitStack, text: str | bytes) -> int:
    """Return the descriptor of a file in memory with the content `text`."""
    file = files.enter_context(os.fdopen(os.memfd_create("input"), "w+b"))
    file.write(text.encode(errors="replace") if isinstance(text, str) else text)
    file.seek(0)
    return file.fileno()


async def _pour(pipe: int, buffer: bytearray, most: int = 2**20) -> None:
    """Read `pipe` into `buffer` until its writing end is closed.

    Raises:
        Flood: there are more than `most` bytes.
    """
    await _readable(pipe)
    while chunk := os.read(pipe, 65536):
        buffer += chunk
        if len(buffer) > most:
            raise Flood
        await _readable(pipe)


async def _readable(descriptor: int) -> None:
    """Wait until a descriptor is readable; for a pidfd, until the process has ended."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _wait_for_exit(pid: int) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            await _readable(handle)
        finally:
            os.close(handle)


async def _await_fully(call: Awaitable[T]) -> T:
    """Await `call` to its end; raise a cancellation only afterwards."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
