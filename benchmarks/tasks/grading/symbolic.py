"""Grading by symbolic equivalence."""

import asyncio
import os
from concurrent.futures import Future
from functools import cache

from pydantic import PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.grading.exact import exact
from reasoner.benchmarks.tasks.grading.grade import Grade
from reasoner.benchmarks.tasks.grading.numeric import number
from reasoner.benchmarks.tasks.grading.worker_pool import WorkerPool


@dataclass(frozen=True)
class Symbolic:
    """The mathematical equality of an answer and the reference, by math-verify (Hugging Face).

    Identical texts and plain numbers are compared here; everything else by `workers` processes, which
    rules with equal settings share. `limit` is in seconds of CPU time per answer, `patience` in seconds
    of wall clock, for a worker that does not respond. Any number of threads and coroutines may call it.
    """

    limit: PositiveFloat = 5.0
    patience: PositiveFloat = 120.0
    workers: PositiveInt = min(8, os.cpu_count() or 1)

    def __call__(self, answer: str, reference: str) -> bool:
        """Return whether the answer is right; block, so that coroutines should await `agrade` instead."""
        return self.grade(answer, reference) is Grade.RIGHT

    def grade(self, answer: str, reference: str) -> Grade:
        """Return the grade, blocking this thread.

        Raises:
            ConfigError: math-verify is not installed.
        """
        return at_once(answer, reference) or self._submit(answer, reference).result()

    async def agrade(self, answer: str, reference: str) -> Grade:
        """Return the grade while other coroutines continue; raise as `grade` does."""
        if known := at_once(answer, reference):
            return known
        return await asyncio.wrap_future(self._submit(answer, reference))

    def _submit(self, answer: str, reference: str) -> Future[Grade]:
        return shared_pool(self.workers, self.limit, self.patience).submit(answer, reference)


def at_once(answer: str, reference: str) -> Grade | None:
    """Return the grade where no algebra is needed, else None."""
    if exact(answer, reference):
        return Grade.RIGHT
    stated, wanted = number(answer), number(reference)
    if stated is None or wanted is None:
        return None
    return Grade.RIGHT if stated.equals(wanted) else Grade.WRONG


@cache
def shared_pool(workers: int, limit: float, patience: float) -> WorkerPool:
    """Return the worker pool with these settings."""
    return WorkerPool(workers, limit, patience)


# A forked child does not inherit the threads that watch the workers: it starts its own.
os.register_at_fork(after_in_child=shared_pool.cache_clear)
symbolic = Symbolic()
"""The rule with its default settings."""
