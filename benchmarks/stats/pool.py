"""Pools as arrays: every problem's samples in one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reasoner.benchmarks.stats.arrays import Bools, Floats, Indices
from reasoner.errors import ConfigError

NONE = -1
"""The code of a missing answer."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The samples of every problem, each array of shape (problems, samples).

    `answers` numbers a problem's distinct answers from 0, with -1 for none; `scores` are nan for what
    was not scored. A problem has the first `sizes` samples of its row, and the rest is filling.
    """

    correct: Bools
    scores: Floats
    answers: Indices
    sizes: Indices

    def __post_init__(self) -> None:
        shapes = {a.shape for a in (self.correct, self.scores, self.answers)}
        if len(shapes) > 1 or self.correct.shape[:1] != self.sizes.shape:
            raise ConfigError(f"a pool's arrays have one shape, not {sorted(shapes)}")

    @property
    def problems(self) -> int:
        """How many there are."""
        return len(self.sizes)

    @property
    def valid(self) -> Bools:
        """Where there is a sample, and not filling."""
        return np.arange(self.correct.shape[1]) < self.sizes[:, None]

    def part(self, samples: slice) -> Pool:
        """Only some samples of every problem, such as every other one: `slice(0, None, 2)`."""
        return Pool(
            correct=self.correct[:, samples],
            scores=self.scores[:, samples],
            answers=self.answers[:, samples],
            sizes=self.valid[:, samples].sum(1),
        )

    def grouped(self) -> Iterator[tuple[Indices, Pool]]:
        """Rows of equal size, and their pool without filling; problems without samples are left out."""
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
"""Estimates for a pool without filling: of shape (problems, ks)."""


def every(pool: Pool, ks: Sequence[int], kernel: Kernel) -> Floats:
    """What `kernel` finds, of shape (problems, ks).

    A problem with fewer than `k` samples counts with all that it has, one without any as wrong.

    Raises:
        ConfigError: a `k` is below 1.
    """
    if min(ks, default=1) < 1:
        raise ConfigError(f"k counts samples from 1, not from {min(ks)}")
    values = np.zeros((pool.problems, len(ks)))
    for rows, group in pool.grouped():
        values[rows] = kernel(group, [min(k, group.correct.shape[1]) for k in ks])
    return values
