"""One run of a program in a sandbox: from its start to what came of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal
from weakref import WeakKeyDictionary

from reasoner.errors import ConfigError
from reasoner.verifiers.sandbox import seccomp as filters
from reasoner.verifiers.sandbox.limits import BARE, PREFIX, Limits, bubblewrap, plain, python
from reasoner.verifiers.sandbox.process import Flood, Process, memory, started

Kind = Literal["bubblewrap", "none"]
SOURCE = "/program.py"
"""Where a program finds itself in the sandbox."""


class Status(StrEnum):
    """How a run ended: by itself, well or not, or by one of its limits."""

    PASSED = "passed"
    FAILED = "failed"
    SECONDS = "seconds"
    CPU_SECONDS = "cpu_seconds"
    MEMORY = "memory"
    PROCESSES = "processes"
    FILE_SIZE = "file_size"
    SCRATCH = "scratch"
    OUTPUT = "output"


SIGNALS = {128 + signal.SIGXCPU: Status.CPU_SECONDS, 128 + signal.SIGXFSZ: Status.FILE_SIZE}
LAST_WORDS = {
    "MemoryError": Status.MEMORY,
    "OSError: [Errno 12]": Status.MEMORY,
    "OSError: [Errno 27]": Status.FILE_SIZE,
    "OSError: [Errno 28]": Status.SCRATCH,
    "BlockingIOError: [Errno 11]": Status.PROCESSES,
    "RuntimeError: can't start new thread": Status.PROCESSES,
}
"""What Python says last when it ends by a limit that only it is told of."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    `code` is the exit code, 128 and the signal's number for a program that a signal killed, None
    for one that was stopped from outside. `seconds` is its time by the clock on the wall.
    """

    status: Status
    code: int | None
    stdout: str
    stderr: str
    seconds: float


async def run(
    program: str | Sequence[str],
    *,
    stdin: str = "",
    limits: Limits = Limits(),
    sandbox: Kind = "bubblewrap",
) -> Outcome:
    """Run Python source, or a command, with no network, a read-only system and within `limits`.

    As many run at once as there are processors; the clock of each starts when its turn comes. When
    this returns, raises or is cancelled, the program and all that it started are dead.

    Raises:
        ConfigError: a tool is missing, or the system does not let bubblewrap make a sandbox.
    """
    async with turn():
        with ExitStack() as files:
            process = start(files, program, stdin=stdin, limits=limits, sandbox=sandbox)
            return await finish(process, limits)


_turns = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]()
"""One for each loop, since a semaphore cannot be waited for in two."""


def turn() -> asyncio.Semaphore:
    """Wait for a processor, in `async with`."""
    loop = asyncio.get_running_loop()
    return _turns.setdefault(loop, asyncio.Semaphore(len(os.sched_getaffinity(0))))


def start(
    files: ExitStack,
    program: str | Sequence[str],
    *,
    stdin: str | bytes,
    limits: Limits,
    sandbox: Kind,
    arguments: Sequence[str] = (),
    passed: Sequence[int] = (),
) -> Process:
    """Start a run in which the descriptors `passed` stay open; `finish` must follow.

    It is killed when `files` is closed.

    Raises:
        ConfigError: a tool is missing.
    """
    source = memory(files, program if isinstance(program, str) else "")
    given = memory(files, stdin)
    if sandbox == "none":
        words = _words(program, Path(sys.base_prefix), f"/dev/fd/{source}")
        bare = plain([*words, *arguments], limits)
        return started(files, bare, BARE, stdin=given, passed=[source, *passed])
    seccomp = memory(files, filters.program())
    status, tell = os.pipe()
    files.callback(os.close, status)
    with os.fdopen(tell):
        words = [*_words(program, PREFIX, SOURCE), *arguments]
        inside = bubblewrap(words, limits, files={SOURCE: source}, seccomp=seccomp, status=tell)
        # BARE, since what LD_PRELOAD names (vLLM sets it) is not there for what runs inside.
        return started(
            files, inside, BARE, stdin=given, passed=[source, seccomp, tell, *passed], status=status
        )


async def finish(process: Process, limits: Limits) -> Outcome:
    """Wait until a run ends by itself or by its limits; then, or when cancelled, it is dead.

    Raises:
        ConfigError: the system does not let bubblewrap make a sandbox.
    """
    try:
        stopped = await _attend(process, limits)
    finally:
        await process.end()
    return _outcome(process, stopped, limits)


def _words(program: str | Sequence[str], prefix: Path, source: str) -> Sequence[str]:
    """The command that runs `program`, which lies at `source` if it is Python."""
    return python(prefix, source) if isinstance(program, str) else program


async def _attend(process: Process, limits: Limits) -> Status | None:
    """The limit by which it was stopped from outside, if any."""
    try:
        async with asyncio.timeout(limits.seconds - process.seconds):
            await process.attend(limits.output)
    except TimeoutError:
        return Status.SECONDS
    except Flood:
        return Status.OUTPUT
    return None


def _outcome(process: Process, stopped: Status | None, limits: Limits) -> Outcome:
    out, err = (
        bytes(kept[: limits.output]).decode(errors="replace")
        for kept in (process.stdout, process.stderr)
    )
    if not stopped and process.status is not None and not process.entered:
        raise ConfigError(
            f"bubblewrap cannot make a sandbox here: {err.strip()[:80]}; it needs version 0.8 and user"
            " namespaces, which containers and some systems forbid; docs/sandbox.md tells how to"
            " allow them, and what sandbox='none' gives up"
        )
    status = stopped or _status(process.code, err)
    return Outcome(status, None if stopped else process.code, out, err, process.seconds)


def _status(code: int, err: str) -> Status:
    if code == 0:
        return Status.PASSED
    last = err.rstrip().rpartition("\n")[2]
    said = (status for words, status in LAST_WORDS.items() if last.startswith(words))
    return SIGNALS.get(code) or next(said, Status.FAILED)
