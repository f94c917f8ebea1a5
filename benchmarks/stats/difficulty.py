"""Difficulty: problems by absolute pass@1, and what a strategy does for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats, Indices
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.stats.proportion import shares
from reasoner.errors import ConfigError
from reasoner.schema import Frozen

EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class DifficultyBin(Frozen):
    """Problems of which pass@1 is from `low` to below `high`; the last bin includes its `high`.

    One accuracy per column of what was measured, none where there are no problems.
    """

    low: float
    high: float
    problems: int
    accuracies: tuple[Estimate, ...]


def by_difficulty(
    rates: Floats, values: Floats, edges: Sequence[float] = EDGES
) -> list[DifficultyBin]:
    """The accuracies `values`, (problems, columns), of problems of like pass@1, `rates`.

    Absolute bins mean the same for every model, where quantiles (Snell et al., 2024) move with it. Take
    `rates` from other samples than `values`, such as `Pool.part` gives: of one set, a lucky problem
    would look both easy and solved.
    """
    place = binned(rates, edges)
    kinds = enumerate(pairwise(edges))
    return [_bin(low, high, values[place == i]) for i, (low, high) in kinds]


def binned(rates: Floats, edges: Sequence[float] = EDGES) -> Indices:
    """The bin of each problem, from 0.

    Raises:
        ConfigError: edges do not rise from 0 to 1.
    """
    if edges[0] != 0 or edges[-1] != 1 or (np.diff(edges) <= 0).any():
        raise ConfigError(f"edges of pass@1 rise from 0 to 1, not {list(edges)}")
    place = np.searchsorted(edges, rates, side="right") - 1
    return np.asarray(np.minimum(place, len(edges) - 2), np.intp)


def _bin(low: float, high: float, values: Floats) -> DifficultyBin:
    found = tuple(shares(values)) if len(values) else ()
    return DifficultyBin(low=low, high=high, problems=len(values), accuracies=found)
