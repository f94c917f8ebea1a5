"""Data-parallel engines: all calls of a problem go to one of them, where its prefixes are cached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from reasoner.types import Problem

REMEMBERED = 100_000
"""The most problems whose rank is known; beyond, all are placed anew."""


class Ranks:
    """The ranks of an engine with `data_parallel_size` copies of its model.

    A problem goes to the rank with the fewest samples in flight, and stays there. vLLM itself would
    place each request by load, and a problem's solutions would share no prefix.
    """

    def __init__(self, size: int) -> None:
        self._samples = [0] * size
        self._homes = dict[tuple[object, ...], int]()
        self._problems = Counter[int]()

    @contextmanager
    def taken(self, problem: Problem, samples: int) -> Generator[int | None]:
        """Yield the rank for a call on a problem; None if there is only one."""
        if len(self._samples) == 1:
            yield None
            return
        rank = self._home(problem)
        self._samples[rank] += samples
        try:
            yield rank
        finally:
            self._samples[rank] -= samples

    def _home(self, problem: Problem) -> int:
        name = (problem.id, *problem.key)
        if name not in self._homes:
            if len(self._homes) >= REMEMBERED:
                self._homes.clear()
            ranks = range(len(self._samples))
            chosen = min(ranks, key=lambda rank: (self._samples[rank], self._problems[rank]))
            self._problems[chosen] += 1
            self._homes[name] = chosen
        return self._homes[name]
