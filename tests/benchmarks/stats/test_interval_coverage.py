"""95 % intervals contain the truth 95 % of the time, on pools of which the truth is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from reasoner.benchmarks.analysis.selection import gap_closed
from reasoner.benchmarks.stats import (
    best_of_at_ks,
    majority_at_ks,
    pass_at_ks,
    weighted_at_ks,
)
from reasoner.benchmarks.stats.area import area
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimate
from reasoner.benchmarks.stats.cost_curve import CostCurve
from reasoner.benchmarks.stats.multiplier import multiplier
from reasoner.benchmarks.stats.paired import difference
from reasoner.benchmarks.stats.power_law import power_law
from reasoner.benchmarks.stats.proportion import share
from tests.benchmarks.stats.simulated import World

KS = [1, 2, 4, 8, 16]
PROBLEMS, SAMPLES = 200, 24
AT = KS.index(8)
INSIDE, EDGE = 0.55, 0.48
"""Accuracies well inside of the sizes of both curves, and near the smallest of one."""
CHECK = 1.25
"""The cost of scoring a sample, as a share of the sample's."""


EDGED = "multiplier at the edge"


def _at(accuracy: float, values: Floats) -> float:
    return float(np.interp(accuracy, values, np.log(KS)))


def true_values(world: World, problems: int) -> dict[str, float]:
    """Return the measured quantity over all possible problems."""
    line = world.truth(KS, problems)
    logs = np.log(KS)
    best, majority, coverage = (line[n] for n in ("best", "majority", "coverage"))
    slope = np.polyfit(logs, np.log(-np.log(coverage)), 1)[0]
    return {
        "pass@4": coverage[2],
        "pass@16": coverage[4],
        "pass@16 wilson": coverage[4],
        "best-of-8": best[AT],
        "majority@8": majority[AT],
        "weighted@8": line["weighted"][AT],
        "gap closed": (best[AT] - majority[AT]) / (coverage[AT] - majority[AT]),
        "difference": best[AT] - majority[AT],
        "multiplier": np.exp(logs[-1] - _at(majority[-1], best)) / CHECK,
        "multiplier inside": np.exp(_at(INSIDE, best) - _at(INSIDE, coverage)) * CHECK,
        EDGED: np.exp(_at(EDGE, majority) - _at(EDGE, best)) / CHECK,
        "area": float(np.trapezoid(best, logs) / logs[-1]),
        "power law": -slope,
    }


def measured(lines: dict[str, Floats], tokens: Floats) -> Iterator[tuple[str, float, float]]:
    """The intervals of one experiment: lines are of shape (problems, ks)."""
    best, majority, coverage = (lines[n] for n in ("best", "majority", "coverage"))
    costs = tokens[:, None] * KS
    checked, voted = CostCurve(CHECK * costs, best), CostCurve(costs, majority)
    found = {
        "pass@4": estimate(coverage[:, 2]),
        "pass@16": estimate(coverage[:, 4]),
        "pass@16 wilson": share(coverage[:, 4]),
        "best-of-8": estimate(best[:, AT]),
        "majority@8": estimate(majority[:, AT]),
        "weighted@8": estimate(lines["weighted"][:, AT]),
        "gap closed": gap_closed(best[:, AT], majority[:, AT], coverage[:, AT]),
        "difference": difference(best[:, AT], majority[:, AT]),
        "multiplier": multiplier(checked, voted),
        "multiplier inside": multiplier(CostCurve(costs, coverage), checked, INSIDE),
        EDGED: multiplier(checked, voted, EDGE),
        "area": area(checked),
        "power law": power_law(coverage, KS).b,
    }
    for name, interval in found.items():
        yield name, *((interval.low, interval.high) if interval else (np.nan, np.nan))


def sides(world: World, experiments: int, many: int) -> dict[str, tuple[float, float]]:
    """Return how often the truth is below the interval, and above."""
    true = true_values(world, many)
    pool, tokens = world.draw(np.random.default_rng(1), experiments * PROBLEMS, SAMPLES)
    lines = {
        "best": best_of_at_ks(pool, KS),
        "majority": majority_at_ks(pool, KS),
        "weighted": weighted_at_ks(pool, KS),
        "coverage": pass_at_ks(pool, KS),
    }
    below, above = Counter[str](), Counter[str]()
    for rows in np.split(np.arange(experiments * PROBLEMS), experiments):
        for name, low, high in measured({n: a[rows] for n, a in lines.items()}, tokens[rows]):
            below[name] += true[name] < low
            above[name] += not true[name] <= high
    return {n: (below[n] / experiments, above[n] / experiments) for n in true}


def outside(found: dict[str, tuple[float, float]], least: float, most: float) -> dict[str, float]:
    """The statistics whose intervals cover too little or too much; at an edge no much is too much."""
    covers = {name: 1 - sum(sides) for name, sides in found.items()}
    return {n: c for n, c in covers.items() if not least <= c <= (1 if n == EDGED else most)}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_intervals_cover_as_they_say() -> None:
    assert outside(sides(World(), experiments=1000, many=1_000_000), 0.93, 0.97) == {}


@pytest.mark.timeout(600)
def test_intervals_cover_about_as_they_say() -> None:
    assert outside(sides(World(), experiments=80, many=100_000), 0.88, 1) == {}


def test_shares_near_one_are_covered() -> None:
    """Nearly all problems are solved by 4 samples, and all but one in 5,000 by 16."""
    world, ks = World(easy=4.0), [4, 16]
    pool, _ = world.draw(np.random.default_rng(2), 1000 * PROBLEMS, SAMPLES)
    values = pass_at_ks(pool, ks).reshape(1000, PROBLEMS, len(ks))
    for column, k in enumerate(ks):
        found = [share(experiment[:, column]) for experiment in values]
        assert np.mean([e.low <= world.coverage(k) <= e.high for e in found]) >= 0.94


EASY = (
    World(easy=1.5),
    World(easy=2.5, shift=2),
    World(easy=4.0, shift=2),
    World(easy=3.0, hard=0.5, shift=2),
)
"""Settings in which 16 samples solve 98, 99.7, 99.98 and 99.96 % of problems."""


@pytest.mark.parametrize("world", EASY, ids=lambda w: f"{w.coverage(16):.4f}")
def test_power_laws_near_one_are_covered(world: World) -> None:
    """The truth is the law at the ks that each experiment could use."""
    experiments = 300
    pool, _ = world.draw(np.random.default_rng(3), experiments * PROBLEMS, SAMPLES)
    covered = list[bool]()
    for values in np.split(pass_at_ks(pool, KS), experiments):
        found = power_law(values, KS)
        logs = np.log(-np.log([world.coverage(k) for k in found.ks]))
        covered.append(found.b.low <= -np.polyfit(np.log(found.ks), logs, 1)[0] <= found.b.high)
    assert np.mean(covered) >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize(
    "world", [*EASY, World(easy=8.0, shift=2)], ids=lambda w: f"{w.coverage(16):.5f}"
)
def test_multipliers_near_one_are_covered(world: World) -> None:
    """At what majority attains with 16 samples: at least as often as they say, or nearly."""
    experiments, line = 1000, world.truth(KS, 1_000_000)
    true = 16 / np.exp(_at(line["majority"][-1], line["best"])) / CHECK
    pool, tokens = world.draw(np.random.default_rng(1), experiments * PROBLEMS, SAMPLES)
    best, majority = best_of_at_ks(pool, KS), majority_at_ks(pool, KS)
    missed = 0
    for rows in np.split(np.arange(experiments * PROBLEMS), experiments):
        costs = tokens[rows, None] * KS
        found = multiplier(CostCurve(CHECK * costs, best[rows]), CostCurve(costs, majority[rows]))
        missed += not found.low * (1 - 1e-9) <= true <= found.high * (1 + 1e-9)
    assert missed / experiments <= 0.07
