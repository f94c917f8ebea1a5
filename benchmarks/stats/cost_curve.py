"""Accuracy against compute: one strategy at rising sizes on the same problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CostCurve:
    """Cost and accuracy of each problem at each size, both of shape (problems, sizes).

    Mean costs must rise. Costs of shape (sizes,) apply to every problem.

    Raises:
        ConfigError: mean costs do not rise from above 0.
    """

    costs: Floats
    values: Floats

    def __post_init__(self) -> None:
        costs = np.broadcast_to(self.costs, self.values.shape).mean(0)
        if costs[0] <= 0 or (np.diff(costs) <= 0).any():
            raise ConfigError(f"a curve's mean costs must rise from above 0, not {costs.tolist()}")

    @property
    def table(self) -> Floats:
        """Costs, then values: (problems, 2 sizes)."""
        return np.hstack([np.broadcast_to(self.costs, self.values.shape), self.values])


def halves(means: Floats) -> tuple[Floats, Floats]:
    """Split means of a curve's `table` into logarithms of costs and accuracies."""
    costs, values = np.split(means, 2, axis=-1)
    return np.log(costs), values
