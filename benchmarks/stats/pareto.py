"""The Pareto front of cost and accuracy."""

from __future__ import annotations

import numpy as np

from reasoner.benchmarks.stats.arrays import Bools, Floats, Indices
from reasoner.benchmarks.stats.bootstrap import resampled


def front(costs: Floats, accuracies: Floats) -> Indices:
    """Return the indices of the points that are not dominated, from the cheapest.

    A point is dominated by one that costs no more and is no worse, if it is better in one of the two;
    equal points all stay.
    """
    order = np.lexsort((-accuracies, costs))
    on_front = _undominated(costs[None], accuracies[None])[0]
    return np.asarray(order[on_front[order]], np.intp)


def front_shares(costs: Floats, values: Floats) -> Floats:
    """Return the share of resamples of problems in which each point is on the front: (points,).

    Both arrays are of shape (problems, points). A point on the front by luck has a small share.
    """
    on_front = _undominated(resampled(costs), resampled(values))
    return np.asarray(on_front.mean(0), float)


def _undominated(costs: Floats, accuracies: Floats) -> Bools:
    """Return whether each point is on the front of its row."""
    own_cost, own_value = costs[:, :, None], accuracies[:, :, None]
    cost, value = costs[:, None, :], accuracies[:, None, :]
    no_worse = (cost <= own_cost) & (value >= own_value)
    better = (cost < own_cost) | (value > own_value)
    return np.asarray(~(no_worse & better).any(2), bool)
