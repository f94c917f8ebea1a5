"""The process that runs reasoning-gym, and the requests to it; the package is never imported here."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import select
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from reasoner.documents import Malformed, parse_json
from reasoner.errors import ConfigError, ReasonerError
from reasoner.extras import require
from reasoner.sandbox import Kind, Limits
from reasoner.sandbox.process import Process
from reasoner.sandbox.run import finish, start

PROGRAM = Path(__file__).with_name("gym_program.py")
PACKAGES = "/packages"
"""The folder of installed packages inside the sandbox."""
START = 180.0
"""The most seconds of wall clock that the import of the package takes on a busy machine."""
LONGEST = 4 * 2**20
"""The most bytes of a reply."""
LIMITS = Limits(cpu_seconds=10**7, memory=2 * 2**30, seconds=5)
"""Those of the process, which lives long; `seconds` is for its end."""

Reply = dict[str, Any]


class Late(ReasonerError):
    """A request took too long; its process was ended."""


class Broken(ReasonerError):
    """The process ended, or replied with something else than JSON."""


class GymProcess:
    """A process that runs reasoning-gym in a sandbox, started by the first request and after each failure.

    Any number of threads may ask.
    """

    def __init__(self, sandbox: Kind) -> None:
        self._sandbox: Kind = sandbox
        self._running: _Running | None = None
        # One thread owns the process: bwrap ends with the thread that started it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reasoning-gym")
        atexit.register(self.close)

    def ask(self, request: Mapping[str, Any], patience: float = 60.0) -> Reply:
        """Return the reply to a request; block until it comes, for at most `patience` seconds.

        Raises:
            ConfigError: the package is not installed or does not import, or there is no sandbox.
            Late: there was no reply in time.
            Broken: the process failed.
        """
        line = json.dumps(request).encode() + b"\n"
        return self._thread.submit(self._ask, line, patience).result()

    def close(self) -> None:
        """End the process."""
        atexit.unregister(self.close)
        self._thread.shutdown()
        self._stop()

    def _ask(self, request: bytes, patience: float) -> Reply:
        running = self._running = self._running or _Running(self._sandbox)
        try:
            return running.ask(request, patience)
        except (Late, Broken):
            self._stop()
            raise

    def _stop(self) -> None:
        if self._running:
            self._running.end()
        self._running = None


class _Running:
    """One process, and the pipes to it, which `files` holds."""

    def __init__(self, sandbox: Kind) -> None:
        self.files = ExitStack()
        try:
            self._process = self._start(packages(), sandbox)
            self._greet()
        except BaseException:
            self.files.close()
            raise

    def ask(self, request: bytes, patience: float) -> Reply:
        """Return the reply to a line of JSON."""
        try:
            os.write(self._requests, request)
        except OSError as e:
            raise Broken("the process of reasoning-gym has ended") from e
        return self._reply(patience)

    def end(self) -> None:
        """Kill the process and close its pipes."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.group, signal.SIGKILL)
        self.files.close()

    def _start(self, folder: Path, sandbox: Kind) -> Process:
        reads, self._requests = os.pipe()
        self._replies, writes = os.pipe()
        for end in (self._requests, self._replies):
            self.files.callback(os.close, end)
        try:
            inside = PACKAGES if sandbox == "bubblewrap" else str(folder)
            return start(
                self.files, PROGRAM.read_text(), stdin="", limits=LIMITS, sandbox=sandbox,
                arguments=[str(reads), str(writes), inside], passed=[reads, writes],
                folders={PACKAGES: folder},
            )  # fmt: skip
        finally:
            os.close(reads)
            os.close(writes)

    def _greet(self) -> None:
        """Wait until the process has imported the package."""
        try:
            reply = self._reply(START)
        except Late:
            self.end()
            raise
        except Broken:
            # The outcome tells why there is no sandbox.
            outcome = asyncio.run(finish(self._process, LIMITS))
            raise Broken(f"reasoning-gym did not start: {outcome.stderr.strip()[-200:]}") from None
        if "error" in reply:
            raise ConfigError(
                f"reasoning-gym does not import: {reply['error']}; install it again with"
                " pip install 'test-time-compute[gym]'"
            )

    def _reply(self, patience: float) -> Reply:
        """Return the next line of the process, parsed."""
        line, until = bytearray(), time.monotonic() + patience
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._replies], [], [], max(0, until - time.monotonic()))
            if not ready:
                raise Late(f"reasoning-gym did not reply within {patience:g} seconds")
            chunk = os.read(self._replies, 65536)
            line += chunk
            if not chunk or len(line) > LONGEST:
                raise Broken("the process of reasoning-gym ended, or its reply has no end")
        try:
            return Reply(parse_json(bytes(line)))
        except (Malformed, TypeError, ValueError) as e:
            raise Broken(f"the process of reasoning-gym replied with no JSON object: {e}") from e


def packages() -> Path:
    """Return the folder that reasoning-gym and the packages it needs are installed in.

    Raises:
        MissingPackage: it is not installed.
    """
    require("reasoning_gym", user="task 'reasoning-gym'")
    spec = find_spec("reasoning_gym")
    assert spec and spec.origin
    return Path(spec.origin).parents[1]


@cache
def shared_process(sandbox: Kind) -> GymProcess:
    """Return the process of this program, with or without a sandbox."""
    return GymProcess(sandbox)


# A forked child inherits neither the thread nor the process's pipes: it starts its own.
os.register_at_fork(after_in_child=shared_process.cache_clear)
