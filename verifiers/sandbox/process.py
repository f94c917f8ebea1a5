"""A command that is read while it runs, ends when told, and leaves nothing behind."""

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
    """A program writes more than it may."""


@dataclass(slots=True)
class Process:
    """A command in a group of its own, with what it has written so far.

    On `status` bwrap tells how the sandbox goes, which `told` keeps: JSON, of which the little that
    matters is looked for as text. It is None where there is no sandbox.
    """

    popen: Popen[bytes]
    group: int
    handle: int
    """Its pidfd, which names it beyond its end."""
    status: int | None
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    told: bytearray = field(default_factory=bytearray)
    begun: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """The time since its start, by the clock on the wall."""
        return time.monotonic() - self.begun

    @property
    def entered(self) -> bool:
        """Whether the sandbox stood, and the program in it came to an end."""
        return b'"exit-code"' in self.told

    @property
    def code(self) -> int:
        """The exit code, as a shell tells it: 128 and the signal's number for a killed one."""
        code = self.popen.wait()
        return code if code >= 0 else 128 - code

    async def attend(self, output: int) -> None:
        """Read what it writes, to its end.

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
        """Kill it and all it started; returns when they are gone, cancelled or not."""
        os.killpg(self.group, signal.SIGKILL)
        await _to_the_end(self._gone())

    async def _gone(self) -> None:
        await _readable(self.handle)
        if self.status is not None:
            await _pour(self.status, self.told)
        if found := re.search(rb'"child-pid": *(\d+)', self.told):
            # The first process of the sandbox, which ends after all others in it.
            await _ended(int(found[1]))


def started(
    files: ExitStack,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int,
    passed: Sequence[int] = (),
    status: int | None = None,
) -> Process:
    """Start `command`, in which the descriptors `passed` stay open.

    It is killed when `files` is closed or when this process dies, however it dies. bwrap's own
    `--die-with-parent` is not enough: if bwrap is the first to die while it sets the sandbox up, the
    half-made sandbox stays for ever. So a shell, which leads the process group, waits for its
    standard input to be closed, and kills all.
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
    """The descriptor of a file in memory that holds `text`."""
    file = files.enter_context(os.fdopen(os.memfd_create("given"), "w+b"))
    file.write(text.encode(errors="replace") if isinstance(text, str) else text)
    file.seek(0)
    return file.fileno()


async def _pour(pipe: int, kept: bytearray, most: int = 2**20) -> None:
    """Read `pipe` into `kept`, until nobody can write to it any more."""
    await _readable(pipe)
    while chunk := os.read(pipe, 65536):
        kept += chunk
        if len(kept) > most:
            raise Flood
        await _readable(pipe)


async def _readable(descriptor: int) -> None:
    """Wait until there is something to read: of a pidfd, that the process has ended."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _ended(pid: int) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            await _readable(handle)
        finally:
            os.close(handle)


async def _to_the_end(call: Awaitable[T]) -> T:
    """Await `call` to its end; a cancellation meanwhile is raised after it."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
