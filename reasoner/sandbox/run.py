"""One run of a program in a sandbox, from its start to its outcome."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal
from weakref import WeakKeyDictionary

from reasoner.errors import ConfigError
from reasoner.sandbox import seccomp as filters
from reasoner.sandbox.limits import BARE, PREFIX, Limits, bubblewrap, plain, python
from reasoner.sandbox.process import Flood, Process, memory, start_process

Kind = Literal["bubblewrap", "none"]
SOURCE = "/program.py"
"""The path of a program inside the sandbox."""


class Status(StrEnum):
    """The end of a run: passed, failed, or the limit that stopped it."""

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
LAST_LINES = {
    "MemoryError": Status.MEMORY,
    "OSError: [Errno 12]": Status.MEMORY,
    "OSError: [Errno 27]": Status.FILE_SIZE,
    "OSError: [Errno 28]": Status.SCRATCH,
    "BlockingIOError: [Errno 11]": Status.PROCESSES,
    "RuntimeError: can't start new thread": Status.PROCESSES,
}
"""Beginnings of Python's last error line at limits without a signal."""


@dataclass(frozen=True, slots=True)
class ProgramOutcome:
    """The result of a run.

    `code` is the exit code: 128 plus the signal number for a program killed by a signal, None for one
    stopped from outside. `seconds` is wall-clock time.
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
) -> ProgramOutcome:
    """Run Python source, or a command, with no network, a read-only system and within `limits`.

    As many run at once as there are processors; the clock of each starts when it does. When this
    function returns, raises or is cancelled, the program and all its children are dead.

    Raises:
        ConfigError: a tool is missing, or the system does not let bubblewrap make a sandbox.
    """
    async with turn():
        with ExitStack() as files:
            process = start(files, program, stdin=stdin, limits=limits, sandbox=sandbox)
            return await finish(process, limits)


_turns = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]()
"""One semaphore for each event loop, since it cannot be shared between loops."""


def turn() -> asyncio.Semaphore:
    """Return the semaphore to wait on for a processor."""
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
    folders: Mapping[str, Path] = {},
) -> Process:
    """Start a run with the descriptors `passed` open; `finish` must follow.

    The run is killed when `files` is closed. A sandbox has the folders outside it that are named in
    `folders`, read-only, by their paths inside.

    Raises:
        ConfigError: a tool is missing.
    """
    source = memory(files, program if isinstance(program, str) else "")
    input_file = memory(files, stdin)
    if sandbox == "none":
        words = _command(program, Path(sys.base_prefix), f"/dev/fd/{source}")
        bare = plain([*words, *arguments], limits)
        return start_process(files, bare, BARE, stdin=input_file, passed=[source, *passed])
    seccomp = memory(files, filters.program())
    status, report = os.pipe()
    files.callback(os.close, status)
    with os.fdopen(report):
        words = [*_command(program, PREFIX, SOURCE), *arguments]
        inside = bubblewrap(
            words,
            limits,
            files={SOURCE: source},
            folders=folders,
            seccomp=seccomp,
            status=report,
        )
        # BARE, since the libraries of LD_PRELOAD (vLLM sets it) do not exist inside.
        return start_process(
            files,
            inside,
            BARE,
            stdin=input_file,
            passed=[source, seccomp, report, *passed],
            status=status,
        )


async def finish(process: Process, limits: Limits) -> ProgramOutcome:
    """Wait until a run ends by itself or at a limit; kill it then, or when cancelled.

    Raises:
        ConfigError: the system does not let bubblewrap make a sandbox.
    """
    try:
        stopped = await _attend(process, limits)
    finally:
        await process.end()
    return _outcome(process, stopped, limits)


def _command(program: str | Sequence[str], prefix: Path, source: str) -> Sequence[str]:
    """Return the command for `program`, which lies at `source` if it is Python source."""
    return python(prefix, source) if isinstance(program, str) else program


async def _attend(process: Process, limits: Limits) -> Status | None:
    """Read its output; return the limit that stopped it from outside, if any."""
    try:
        async with asyncio.timeout(limits.seconds - process.seconds):
            await process.attend(limits.output)
    except TimeoutError:
        return Status.SECONDS
    except Flood:
        return Status.OUTPUT
    return None


def _outcome(process: Process, stopped: Status | None, limits: Limits) -> ProgramOutcome:
    out, err = (
        bytes(stream[: limits.output]).decode(errors="replace")
        for stream in (process.stdout, process.stderr)
    )
    if not stopped and process.status is not None and not process.entered:
        raise ConfigError(
            f"bubblewrap cannot make a sandbox here: {err.strip()[:80]}; it needs version 0.8 and user"
            " namespaces, which containers and some systems forbid; docs/sandbox.md explains how to"
            " allow them, and the risk of sandbox='none'"
        )
    status = stopped or _status(process.code, err)
    return ProgramOutcome(status, None if stopped else process.code, out, err, process.seconds)


def _status(code: int, err: str) -> Status:
    if code == 0:
        return Status.PASSED
    last = err.rstrip().rpartition("\n")[2]
    limits = (status for start, status in LAST_LINES.items() if last.startswith(start))
    return SIGNALS.get(code) or next(limits, Status.FAILED)
