"""Pools of samples as arrays, one problem a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from reasoner.benchmarks.stats.arrays import Bools, Floats, Indices
from reasoner.errors import ConfigError

NONE = -1
"""The code of a missing answer."""


class Graded(Protocol):
    """A sample with its answer, if any, its score, if any, and whether it is right."""

    @property
    def answer(self) -> str | None: ...
    @property
    def score(self) -> float | None: ...
    @property
    def correct(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Pool:
    """The samples of every problem, each array of shape (problems, samples).

    `answers` numbers a problem's distinct answers from 0, with -1 for none; `scores` are nan for samples
    without one. A problem has the first `sizes` samples of its row, and the rest is padding.

    Raises:
        ConfigError: the arrays differ in shape.
    """

    correct: Bools
    scores: Floats
    answers: Indices
    sizes: Indices

    def __post_init__(self) -> None:
        shapes = {a.shape for a in (self.correct, self.scores, self.answers)}
        if len(shapes) > 1 or self.correct.shape[:1] != self.sizes.shape:
            raise ConfigError(f"a pool's arrays must have one shape, not {sorted(shapes)}")

    @classmethod
    def of(cls, rows: Sequence[Sequence[Graded]]) -> Pool:
        """Return the samples of each problem, in their order; rows may differ in length."""
        shape = (len(rows), max(map(len, rows), default=0))
        pool = cls(
            correct=np.zeros(shape, bool),
            scores=np.full(shape, np.nan),
            answers=np.full(shape, NONE, np.intp),
            sizes=np.array([len(samples) for samples in rows], np.intp),
        )
        for i, samples in enumerate(rows):
            size = len(samples)
            pool.correct[i, :size] = [s.correct for s in samples]
            pool.scores[i, :size] = [np.nan if s.score is None else s.score for s in samples]
            pool.answers[i, :size] = _answer_codes(samples)
        return pool

    @property
    def problems(self) -> int:
        """The number of problems."""
        return len(self.sizes)

    @property
    def valid(self) -> Bools:
        """A mask of samples, False for padding: (problems, samples)."""
        return np.arange(self.correct.shape[1]) < self.sizes[:, None]

    def part(self, samples: slice) -> Pool:
        """Return the pool of some samples of every problem, such as every other one: `slice(0, None, 2)`."""
        return Pool(
            correct=self.correct[:, samples],
            scores=self.scores[:, samples],
            answers=self.answers[:, samples],
            sizes=self.valid[:, samples].sum(1),
        )

    def grouped(self) -> Iterator[tuple[Indices, Pool]]:
        """Yield the rows of each size with their pool without padding; problems without samples are left out."""
        for size in np.unique(self.sizes[self.sizes > 0]):
            rows = np.flatnonzero(self.sizes == size)
            yield (
                rows,
                Pool(
                    correct=self.correct[rows, :size],
                    scores=self.scores[rows, :size],
                    answers=self.answers[rows, :size],
                    sizes=self.sizes[rows],
                ),
            )


Kernel = Callable[[Pool, Sequence[int]], Floats]
"""A function of a pool without padding and of ks to estimates, of shape (problems, ks)."""


def every(pool: Pool, ks: Sequence[int], kernel: Kernel) -> Floats:
    """Return the estimates of `kernel` for every problem, of shape (problems, ks).

    A problem with fewer than `k` samples counts with all that it has, and one without samples as wrong.

    Raises:
        ConfigError: a `k` is below 1.
    """
    if min(ks, default=1) < 1:
        raise ConfigError(f"k counts samples from 1, not from {min(ks)}")
    values = np.zeros((pool.problems, len(ks)))
    for rows, group in pool.grouped():
        values[rows] = kernel(group, [min(k, group.correct.shape[1]) for k in ks])
    return values


def _answer_codes(samples: Sequence[Graded]) -> list[int]:
    codes = dict[str, int]()
    return [NONE if s.answer is None else codes.setdefault(s.answer, len(codes)) for s in samples]
