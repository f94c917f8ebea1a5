"""Which arm for which difficulty: fitted on measured problems, told by cross-validation.

Compute-optimal scaling (Snell et al., 2024, section 3), with the probe that tells the difficulty
charged like everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasoner.benchmarks.stats import Floats, Indices
from reasoner.benchmarks.stats.intervals import Estimate, ratio
from reasoner.search.auto import Arm, Feature

Flags = NDArray[np.bool_]

FOLDS = 2


@dataclass(frozen=True)
class Alone:
    """One arm for every problem, without a probe."""

    arm: Arm
    correct: Floats
    cost: Floats


@dataclass(frozen=True)
class Evidence:
    """What the probe and every arm came to; `correct` and `cost` are problems by arms.

    An arm is right if the better-scored of its answer and the probe's is, and costs what both do.
    """

    arms: tuple[Arm, ...]
    features: Mapping[Feature, Floats]
    correct: Floats
    cost: Floats
    alone: tuple[Alone, ...] = ()

    def __len__(self) -> int:
        return len(self.correct)

    def part(self, chosen: Flags) -> Evidence:
        """The evidence of some of the problems."""
        features: dict[Feature, Floats] = {
            name: values[chosen] for name, values in self.features.items()
        }
        return Evidence(self.arms, features, self.correct[chosen], self.cost[chosen])


@dataclass(frozen=True)
class Rule:
    """For a feature from `edges[i - 1]` to `edges[i]`, the arm `choice[i]`."""

    feature: Feature
    edges: Floats
    choice: Indices

    def apply(self, evidence: Evidence) -> Indices:
        """The arm of each problem."""
        bins = np.digitize(evidence.features[self.feature], self.edges)
        return np.asarray(self.choice[bins], np.intp)


@dataclass(frozen=True)
class Outcome:
    """Whether each problem was solved, what it cost, and which arm it got."""

    correct: Floats
    cost: Floats
    arms: Indices

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())

    @property
    def mean_cost(self) -> float:
        return float(self.cost.mean())


def outcome(evidence: Evidence, rule: Rule) -> Outcome:
    """What `rule` comes to on `evidence`."""
    arms = rule.apply(evidence)
    rows = np.arange(len(evidence))
    return Outcome(evidence.correct[rows, arms], evidence.cost[rows, arms], arms)


def fit(evidence: Evidence, *, bins: int = 5, tolerance: float = 0.01) -> Rule:
    """In each bin the cheapest arm within `tolerance` of the best one's accuracy.

    Of the features, the one whose rule is cheapest, of those within `tolerance` of the best rule.
    """
    rules = [_fit(evidence, name, bins, tolerance) for name in evidence.features]
    came = [outcome(evidence, rule) for rule in rules]
    accuracy = np.array([o.accuracy for o in came])
    cost = np.array([o.mean_cost for o in came])
    return rules[cheapest(accuracy, cost, tolerance)]


def cross_validated(evidence: Evidence, *, bins: int = 5, tolerance: float = 0.01) -> Outcome:
    """Every problem as decided by a rule that was fitted without it and its fold."""
    fold = np.arange(len(evidence)) % FOLDS
    correct, cost = np.zeros(len(evidence)), np.zeros(len(evidence))
    arms = np.zeros(len(evidence), np.intp)
    for held in range(FOLDS):
        out = fold == held
        rule = fit(evidence.part(~out), bins=bins, tolerance=tolerance)
        found = outcome(evidence.part(out), rule)
        correct[out], cost[out], arms[out] = found.correct, found.cost, found.arms
    return Outcome(correct, cost, arms)


def cheapest(accuracy: Floats, cost: Floats, tolerance: float = 0.0) -> int:
    """The cheapest of those within `tolerance` of the best accuracy."""
    good = accuracy >= accuracy.max() - tolerance - 1e-12
    return int(np.argmin(np.where(good, cost, np.inf)))


def rival(alone: Sequence[Alone | Outcome], came: Outcome, tolerance: float = 0.01) -> int:
    """Return the place of the cheapest fixed arm as accurate as an allocation, up to `tolerance`.

    Where none is, it is the most accurate one. It is chosen on the problems that it is measured on, which
    favours it.
    """
    accuracy = np.array([a.correct.mean() for a in alone])
    good = accuracy >= min(came.accuracy - tolerance, accuracy.max()) - 1e-12
    return int(np.argmin(np.where(good, [a.cost.mean() for a in alone], np.inf)))


def saving(fixed: Alone | Outcome, came: Outcome) -> Estimate:
    """Return the cost of a fixed arm over that of an allocation, with its interval, paired over problems."""
    found = ratio(fixed.cost, came.cost)
    assert found, "an allocation spends something"
    return found


def _fit(evidence: Evidence, feature: Feature, bins: int, tolerance: float) -> Rule:
    values = evidence.features[feature]
    edges = _edges(values, bins)
    found = np.digitize(values, edges)
    choice = [
        cheapest(evidence.correct[found == i].mean(0), evidence.cost[found == i].mean(0), tolerance)
        for i in range(len(edges) + 1)
    ]
    return Rule(feature, edges, np.array(choice, np.intp))


def _edges(values: Floats, bins: int) -> Floats:
    """Quantiles that are values themselves, so that no bin is empty; ties make fewer bins."""
    shares = np.arange(1, bins) / bins
    quantiles = np.unique(np.quantile(values, shares, method="higher"))
    return np.asarray(quantiles[quantiles > values.min()], float)
