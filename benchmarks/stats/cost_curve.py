"""Accuracy against compute: one strategy at rising sizes on the same problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CostCurve:
    """What each problem costs and how often it is solved, each of shape (problems, sizes).

    Mean costs rise. Costs of shape (sizes,) are those of every problem.
    """

    costs: Floats
    values: Floats

    def __post_init__(self) -> None:
        costs = np.broadcast_to(self.costs, self.values.shape).mean(0)
        if costs[0] <= 0 or (np.diff(costs) <= 0).any():
            raise ConfigError(f"a curve's mean costs rise from above 0, not {costs.tolist()}")

    @property
    def table(self) -> Floats:
        """Costs beside values: (problems, 2 sizes)."""
        return np.hstack([np.broadcast_to(self.costs, self.values.shape), self.values])


def halves(means: Floats) -> tuple[Floats, Floats]:
    """The means of a curve's `table` as logarithms of costs and accuracies."""
    costs, values = np.split(means, 2, axis=-1)
    return np.log(costs), values
