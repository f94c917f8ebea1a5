"""A trial: a unit test and a program, each in its own sandbox."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reasoner.sandbox.harness import encode
from reasoner.sandbox.limits import Limits
from reasoner.sandbox.process import Process
from reasoner.sandbox.run import Kind, ProgramOutcome, finish, start, turn

HARNESS = Path(__file__).with_name("harness.py")


class Unusable(Exception):
    """A test that no program can pass."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A Python unit test, the function it tests if any, and its wall-clock limit in seconds."""

    test: str
    entry_point: str | None
    seconds: float
    limits: Limits
    sandbox: Kind

    async def passes(self, program: str) -> bool:
        """Return True if a program passes the test.

        The processes of program and test share nothing but two pipes. The test's sandbox writes only
        the verdict, with a nonce that only the test's process receives.

        Raises:
            Unusable: the test is not valid Python, or passes an argument that is not plain data.
            ConfigError: no sandbox is available.
        """
        nonce = secrets.token_hex(16)
        request = encode((nonce, self.test, self.entry_point, self.seconds))
        async with turn():
            with ExitStack() as files:
                with _pipe() as (request_in, request_out), _pipe() as (answer_in, answer_out):
                    judge = self._start(files, "judge", request, answer_in, request_out)
                    served = self._start(
                        files, "serve", program.encode(errors="replace"), request_in, answer_out
                    )
                outcome = await self._outcome(judge, served)
        return _verdict(outcome, nonce)

    def _start(self, files: ExitStack, role: str, stdin: bytes, reads: int, writes: int) -> Process:
        return start(
            files, HARNESS.read_text(), stdin=stdin, limits=self.limits, sandbox=self.sandbox,
            arguments=[role, str(reads), str(writes)], passed=[reads, writes],
        )  # fmt: skip

    async def _outcome(self, judge: Process, served: Process) -> ProgramOutcome:
        """Wait for the outcome of the test, then stop the program."""
        serving = asyncio.create_task(finish(served, self.limits))
        try:
            return await finish(judge, self.limits)
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


@contextmanager
def _pipe() -> Generator[tuple[int, int], None, None]:
    """Open a pipe that this process holds only while it starts the processes that use it."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def _verdict(outcome: ProgramOutcome, nonce: str) -> bool:
    word, _, verdict = outcome.stdout.partition(" ")
    reported = word == nonce and outcome.code == 0
    if reported and verdict.startswith("unusable: "):
        raise Unusable(verdict.removeprefix("unusable: "))
    return reported and verdict == "passed"
