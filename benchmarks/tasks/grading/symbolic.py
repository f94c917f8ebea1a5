"""Symbolic equivalence."""

import asyncio
import os
from concurrent.futures import Future
from functools import cache

from pydantic import PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.grading.exact import exact
from reasoner.benchmarks.tasks.grading.grade import Grade
from reasoner.benchmarks.tasks.grading.numeric import number
from reasoner.benchmarks.tasks.grading.worker_pool import Pool


@dataclass(frozen=True)
class Symbolic:
    """Whether an answer equals the reference as mathematics, by math-verify (Hugging Face).

    What is written alike, and what is a plain number on both sides, is decided here; the rest by
    `workers` processes, which rules with equal settings share. `limit` is in seconds of CPU time per
    answer, `patience` in seconds on the clock, for a worker that does nothing at all. Threads and
    coroutines may call it in any number.
    """

    limit: PositiveFloat = 5.0
    patience: PositiveFloat = 120.0
    workers: PositiveInt = min(8, os.cpu_count() or 1)

    def __call__(self, answer: str, reference: str) -> bool:
        """Whether the answer is right; blocks, so a coroutine had better await `agrade`."""
        return self.grade(answer, reference) is Grade.RIGHT

    def grade(self, answer: str, reference: str) -> Grade:
        """The grade, waited for in this thread.

        Raises:
            ConfigError: math-verify is not installed.
        """
        return at_once(answer, reference) or self._submit(answer, reference).result()

    async def agrade(self, answer: str, reference: str) -> Grade:
        """The grade, waited for while other coroutines go on; raises as `grade`."""
        if known := at_once(answer, reference):
            return known
        return await asyncio.wrap_future(self._submit(answer, reference))

    def _submit(self, answer: str, reference: str) -> Future[Grade]:
        return shared(self.workers, self.limit, self.patience).submit(answer, reference)


def at_once(answer: str, reference: str) -> Grade | None:
    """The grade where it takes no algebra, else None."""
    if exact(answer, reference):
        return Grade.RIGHT
    given, wanted = number(answer), number(reference)
    if given is None or wanted is None:
        return None
    return Grade.RIGHT if given.equals(wanted) else Grade.WRONG


@cache
def shared(workers: int, limit: float, patience: float) -> Pool:
    """The pool with these settings."""
    return Pool(workers, limit, patience)


# The threads that watch the workers do not live on in a forked child: it starts its own.
os.register_at_fork(after_in_child=shared.cache_clear)
symbolic = Symbolic()
"""The rule with its default settings."""
