"""Allocation of an arm by difficulty: fitted on measured problems, evaluated by cross-validation.

Compute-optimal scaling (Snell et al., 2024, section 3), with the probe that estimates the difficulty
charged like everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reasoner.benchmarks.stats.arrays import Bools, Floats, Indices
from reasoner.benchmarks.stats.intervals import Estimate, ratio
from reasoner.search.auto import Arm, Feature

FOLDS = 2


@dataclass(frozen=True)
class FixedArm:
    """One arm for every problem, without a probe; `correct` and `cost` have one value per problem."""

    arm: Arm
    correct: Floats
    cost: Floats


@dataclass(frozen=True)
class Evidence:
    """The results of the probe and of every arm; `correct` and `cost` are of shape (problems, arms).

    An arm is right if the better-scored of its answer and the probe's is, and costs as much as both.
    """

    arms: tuple[Arm, ...]
    features: Mapping[Feature, Floats]
    correct: Floats
    cost: Floats
    fixed: tuple[FixedArm, ...] = ()

    def __len__(self) -> int:
        return len(self.correct)

    def part(self, chosen: Bools) -> Evidence:
        """Return the evidence of some of the problems."""
        features: dict[Feature, Floats] = {
            name: values[chosen] for name, values in self.features.items()
        }
        return Evidence(self.arms, features, self.correct[chosen], self.cost[chosen])


@dataclass(frozen=True)
class AllocationRule:
    """The arm `choice[i]` where a feature is from `edges[i - 1]` to below `edges[i]`."""

    feature: Feature
    edges: Floats
    choice: Indices

    def apply(self, evidence: Evidence) -> Indices:
        """Return the arm of each problem."""
        bins = np.digitize(evidence.features[self.feature], self.edges)
        return np.asarray(self.choice[bins], np.intp)


@dataclass(frozen=True)
class Allocated:
    """The results of an allocation: correctness, cost and arm of each problem."""

    correct: Floats
    cost: Floats
    arms: Indices

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())

    @property
    def mean_cost(self) -> float:
        return float(self.cost.mean())


def allocate(evidence: Evidence, rule: AllocationRule) -> Allocated:
    """Return the results of `rule` on `evidence`."""
    arms = rule.apply(evidence)
    rows = np.arange(len(evidence))
    return Allocated(evidence.correct[rows, arms], evidence.cost[rows, arms], arms)


def fit_rule(evidence: Evidence, *, bins: int = 5, tolerance: float = 0.01) -> AllocationRule:
    """Return the rule with the cheapest arm in each bin within `tolerance` of the best one's accuracy.

    The feature is the one with the cheapest rule among those within `tolerance` of the best rule.
    """
    rules = [_fit(evidence, name, bins, tolerance) for name in evidence.features]
    results = [allocate(evidence, rule) for rule in rules]
    accuracy = np.array([r.accuracy for r in results])
    cost = np.array([r.mean_cost for r in results])
    return rules[cheapest(accuracy, cost, tolerance)]


def cross_validated(evidence: Evidence, *, bins: int = 5, tolerance: float = 0.01) -> Allocated:
    """Allocate every problem by a rule that was fitted without its fold."""
    fold = np.arange(len(evidence)) % FOLDS
    correct, cost = np.zeros(len(evidence)), np.zeros(len(evidence))
    arms = np.zeros(len(evidence), np.intp)
    for held_out in range(FOLDS):
        out = fold == held_out
        rule = fit_rule(evidence.part(~out), bins=bins, tolerance=tolerance)
        part = allocate(evidence.part(out), rule)
        correct[out], cost[out], arms[out] = part.correct, part.cost, part.arms
    return Allocated(correct, cost, arms)


def cheapest(accuracy: Floats, cost: Floats, tolerance: float = 0.0) -> int:
    """Return the index of the cheapest within `tolerance` of the best accuracy."""
    good = accuracy >= accuracy.max() - tolerance - 1e-12
    return int(np.argmin(np.where(good, cost, np.inf)))


def rival(
    fixed: Sequence[FixedArm | Allocated], allocated: Allocated, tolerance: float = 0.01
) -> int:
    """Return the index of the cheapest fixed arm as accurate as an allocation, up to `tolerance`.

    Where there is none, it is the most accurate one. It is chosen on the problems that it is measured on,
    which favours it.
    """
    accuracy = np.array([a.correct.mean() for a in fixed])
    good = accuracy >= min(allocated.accuracy - tolerance, accuracy.max()) - 1e-12
    return int(np.argmin(np.where(good, [a.cost.mean() for a in fixed], np.inf)))


def cost_ratio(fixed: FixedArm | Allocated, allocated: Allocated) -> Estimate:
    """Estimate the cost of a fixed arm over that of an allocation, paired over problems."""
    estimate = ratio(fixed.cost, allocated.cost)
    assert estimate, "an allocation spends something"
    return estimate


def _fit(evidence: Evidence, feature: Feature, bins: int, tolerance: float) -> AllocationRule:
    values = evidence.features[feature]
    edges = _edges(values, bins)
    place = np.digitize(values, edges)
    choice = [
        cheapest(evidence.correct[place == i].mean(0), evidence.cost[place == i].mean(0), tolerance)
        for i in range(len(edges) + 1)
    ]
    return AllocationRule(feature, edges, np.array(choice, np.intp))


def _edges(values: Floats, bins: int) -> Floats:
    """Return quantiles that are values themselves, so that no bin is empty; ties make fewer bins."""
    shares = np.arange(1, bins) / bins
    quantiles = np.unique(np.quantile(values, shares, method="higher"))
    return np.asarray(quantiles[quantiles > values.min()], float)
