"""Accuracy by difficulty: problems in bins of absolute pass@1."""

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
    """Problems with a pass@1 from `low` to below `high`; the last bin includes its `high`.

    `accuracies` has one for each measured column, and none where there are no problems.
    """

    low: float
    high: float
    problems: int
    accuracies: tuple[Estimate, ...]


def by_difficulty(
    rates: Floats, values: Floats, edges: Sequence[float] = EDGES
) -> list[DifficultyBin]:
    """Estimate the mean of accuracies `values`, (problems, columns), in bins of pass@1, `rates`.

    Absolute bins mean the same for every model, while quantiles (Snell et al., 2024) depend on it. Take
    `rates` from other samples than `values`, such as those of `Pool.part`: with the same samples, a
    lucky problem would look both easy and solved.

    Raises:
        ConfigError: edges do not rise from 0 to 1.
    """
    place = difficulty_bins(rates, edges)
    bins = enumerate(pairwise(edges))
    return [_bin(low, high, values[place == i]) for i, (low, high) in bins]


def difficulty_bins(rates: Floats, edges: Sequence[float] = EDGES) -> Indices:
    """Return the bin of each problem, from 0.

    Raises:
        ConfigError: edges do not rise from 0 to 1.
    """
    if edges[0] != 0 or edges[-1] != 1 or (np.diff(edges) <= 0).any():
        raise ConfigError(f"edges of pass@1 must rise from 0 to 1, not {list(edges)}")
    place = np.searchsorted(edges, rates, side="right") - 1
    return np.asarray(np.minimum(place, len(edges) - 2), np.intp)


def _bin(low: float, high: float, values: Floats) -> DifficultyBin:
    accuracies = tuple(shares(values)) if len(values) else ()
    return DifficultyBin(low=low, high=high, problems=len(values), accuracies=accuracies)
