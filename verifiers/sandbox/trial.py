"""A unit test and a program, each in a sandbox of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reasoner.verifiers.sandbox.harness import encode
from reasoner.verifiers.sandbox.limits import Limits
from reasoner.verifiers.sandbox.process import Process
from reasoner.verifiers.sandbox.run import Kind, Outcome, finish, start, turn

HARNESS = Path(__file__).with_name("harness.py")


class Unusable(Exception):
    """A test that no program can pass."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A unit test of Python, the function it tests if there is one, and its time by the clock."""

    test: str
    entry_point: str | None
    seconds: float
    limits: Limits
    sandbox: Kind

    async def passes(self, program: str) -> bool:
        """Whether a program passes the test.

        Its process and that of the test see nothing of each other but two pipes. The verdict is all
        that the sandbox of the test writes, and holds a word that only this one was given.

        Raises:
            Unusable: the test is no Python, or passes what is not plain data.
            ConfigError: there can be no sandbox.
        """
        nonce = secrets.token_hex(16)
        given = encode((nonce, self.test, self.entry_point, self.seconds))
        async with turn():
            with ExitStack() as files:
                with _pipe() as (asked, asks), _pipe() as (answered, answers):
                    judge = self._start(files, "judge", given, answered, asks)
                    served = self._start(
                        files, "serve", program.encode(errors="replace"), asked, answers
                    )
                outcome = await self._judged(judge, served)
        return _verdict(outcome, nonce)

    def _start(self, files: ExitStack, role: str, given: bytes, reads: int, writes: int) -> Process:
        return start(
            files, HARNESS.read_text(), stdin=given, limits=self.limits, sandbox=self.sandbox,
            arguments=[role, str(reads), str(writes)], passed=[reads, writes],
        )  # fmt: skip

    async def _judged(self, judge: Process, served: Process) -> Outcome:
        """The outcome of the test; the program is stopped when that is there."""
        serving = asyncio.create_task(finish(served, self.limits))
        try:
            return await finish(judge, self.limits)
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


@contextmanager
def _pipe() -> Generator[tuple[int, int], None, None]:
    """A pipe that this process has only while it starts those that use it."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def _verdict(outcome: Outcome, nonce: str) -> bool:
    word, _, verdict = outcome.stdout.partition(" ")
    reported = word == nonce and outcome.code == 0
    if reported and verdict.startswith("unusable: "):
        raise Unusable(verdict.removeprefix("unusable: "))
    return reported and verdict == "passed"
