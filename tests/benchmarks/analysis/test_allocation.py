"""The right allocation is found where it is known, and told honestly where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest

from reasoner.backends.scripted import Scripted
from reasoner.base import Example
from reasoner.benchmarks.analysis.allocation import (
    Allocated,
    Evidence,
    FixedArm,
    allocate,
    cheapest,
    cross_validated,
    fit_rule,
    rival,
)
from reasoner.benchmarks.analysis.fit_auto import ArmGrid, arm_grid, fit_table
from reasoner.benchmarks.runner import bench as experiment
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.stats import Floats
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.store import read
from reasoner.errors import ConfigError, StoreError
from reasoner.search.auto import FEATURES, Arm, Auto, Table
from reasoner.solving import solve
from reasoner.types import Problem, Sampling
from reasoner.verifiers.verdict import Verdict
from tests.benchmarks.tables import sql

ARMS = (Arm(strategy="stop"), Arm(strategy="beam", n=8), Arm(strategy="best-of-n", n=64))
COST = np.array([1.0, 4.0, 16.0])


def synthetic(n: int = 600, *, noise: bool = False, seed: int = 0) -> Evidence:
    """A third of the problems each are solved by any arm, by the dearer two, by the dearest only."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 3
    chance = np.array([[0.95, 0.95, 0.95], [0.3, 0.9, 0.9], [0.1, 0.2, 0.7]])[kind]
    easiness = (2 - kind) / 2 + rng.uniform(-0.2, 0.2, n)
    feature = np.asarray(rng.uniform(0, 1, n) if noise else easiness, float)
    return Evidence(
        arms=ARMS,
        features={"mean": feature},
        correct=(rng.uniform(size=(n, 1)) < chance).astype(float),
        cost=np.tile(COST, (n, 1)),
    )


def test_each_difficulty_gets_its_arm() -> None:
    evidence = synthetic()
    rule = fit_rule(evidence, bins=3, tolerance=0.02)
    assert rule.choice.tolist() == [2, 1, 0]
    assert (np.abs(rule.edges - [0.25, 0.75]) < 0.1).all()
    came = allocate(evidence, rule)
    assert came.mean_cost == pytest.approx(7.0, abs=0.7)
    assert came.accuracy == pytest.approx(0.85, abs=0.03)


def test_cross_validation_agrees_on_new_problems() -> None:
    evidence, fresh = synthetic(2000), synthetic(4000, seed=1)
    told = cross_validated(evidence, bins=3, tolerance=0.02)
    found = allocate(fresh, fit_rule(evidence, bins=3, tolerance=0.02))
    assert told.accuracy == pytest.approx(found.accuracy, abs=0.025)
    assert told.mean_cost == pytest.approx(found.mean_cost, rel=0.05)


def test_no_problem_decides_about_itself() -> None:
    """Each is solved by one arm, at random: fitted on itself, a rule would look good."""
    rng = np.random.default_rng(0)
    lucky = np.eye(3)[rng.integers(0, 3, 300)]
    values = np.arange(300).astype(np.float64)
    evidence = Evidence(ARMS, {"mean": values}, lucky, np.tile(COST, (300, 1)))
    itself = allocate(evidence, fit_rule(evidence, bins=150, tolerance=0.0))
    assert itself.accuracy > 0.6
    assert cross_validated(evidence, bins=75, tolerance=0.0).accuracy < 0.42


def test_a_useless_feature_saves_nothing() -> None:
    came = cross_validated(synthetic(2000, noise=True), bins=5, tolerance=0.0)
    assert came.mean_cost == COST[2]


def test_the_telling_feature_is_chosen() -> None:
    good, bad = synthetic(), synthetic(noise=True)
    features = {"best": bad.features["mean"], "agreement": good.features["mean"]}
    evidence = Evidence(good.arms, features, good.correct, good.cost)  # type: ignore[arg-type]
    assert fit_rule(evidence, bins=3, tolerance=0.02).feature == "agreement"


def test_ties_make_fewer_bins_but_none_empty() -> None:
    evidence = synthetic(400)
    some: list[Floats] = [
        np.full(400, 2 / 3),
        np.repeat([0.0, 1.0], 200),
        np.repeat([0.1, 0.4], [390, 10]),
    ]
    for values in some:
        tied = Evidence(evidence.arms, {"mean": values}, evidence.correct, evidence.cost)
        rule = fit_rule(tied, bins=5)
        assert len(rule.choice) == len(rule.edges) + 1
        assert set(np.digitize(values, rule.edges)) == set(range(len(rule.choice)))


def test_the_cheapest_within_tolerance() -> None:
    accuracy, cost = np.array([0.8, 0.89, 0.9]), np.array([1.0, 2.0, 3.0])
    assert [cheapest(accuracy, cost, t) for t in (0.0, 0.01, 0.1)] == [2, 1, 0]


def fixed(*accuracies: float, problems: int = 100) -> tuple[FixedArm, ...]:
    """Arms that are right on the first so many of every problems, at the costs of `COST`."""
    places = np.arange(problems) // 2 / (problems // 2)
    return tuple(
        FixedArm(arm, (places < a).astype(float), np.full(problems, c))
        for arm, a, c in zip(ARMS, accuracies, COST, strict=True)
    )


@pytest.mark.parametrize(
    ("accuracy", "tolerance", "chosen"),
    [
        (0.5, 0.0, 0),  # All are as accurate, and the first is the cheapest.
        (0.8, 0.0, 1),
        (0.8, 0.3, 0),
        (0.98, 0.0, 2),  # None is: the most accurate one.
        (0.98, 0.2, 1),
    ],
)
def test_the_rival_is_the_cheapest_arm_as_accurate(
    accuracy: float, tolerance: float, chosen: int
) -> None:
    alone, [came] = fixed(0.6, 0.8, 0.9), fixed(accuracy, 0, 0)[:1]
    found = Allocated(came.correct, came.cost, np.zeros(100, np.intp))
    assert rival(alone, found, tolerance) == chosen


# -- from records -------------------------------------------------------------------------------

STEPS = Sampling(max_tokens=200, stop=("\n",))
NAMES = ("best-of-n:8", "best-of-n:32", "beam:8")


@dataclass(frozen=True)
class Sums:
    """Add two to nine numbers: the more, the harder for the scripted model."""

    name: str = "sums"
    sampling: Sampling = STEPS

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        for i in range(count):
            rng = Random(f"{split}:{seed}:{i}")
            numbers = [rng.randint(1, 99) for _ in range(2 + i % 8)]
            problem = Problem(f"{split}-{i}", "+".join(map(str, numbers)))
            yield Example(problem, str(sum(numbers)))

    def answer(self, solution: str) -> str | None:
        return solution.rpartition("#")[2] if "#" in solution else None

    def check(self, example: Example, solution: str) -> bool:
        return self.answer(solution) == example.answer


async def measured(out: Path, names: tuple[str, ...] = NAMES, problems: int = 40) -> ArmGrid:
    grid = arm_grid(names, 4, tasks=("sums",), problems=problems, backend="scripted")
    await run(grid, out)
    return grid


async def run(grid: Grid, out: Path) -> int:
    solvers = Solvers(grid, {"sums": Sums()})
    return (await experiment.run(grid, out, solvers, Scripted())).finished


async def test_only_what_an_arm_needs_is_run(tmp_path: Path) -> None:
    grid = arm_grid((*NAMES, "mcts:4"), 4, tasks=("sums",), problems=40, backend="scripted")
    labels = [s.label for s in grid.specs()]
    assert labels == ["sums best-of-n n=32", "sums beam n=8", "sums mcts n=4"]
    assert all(s.split == "dev" for s in grid.specs())
    assert await run(await measured(tmp_path), tmp_path) == 0
    assert Grid.load(tmp_path).strategies == ("best-of-n", "beam")


async def test_an_arm_costs_the_probe_and_what_it_draws(tmp_path: Path) -> None:
    grid = await measured(tmp_path)
    found = fit_table(grid, tmp_path, bins=4, tolerance=0.01)
    pool, beam = grid.pool("sums"), grid.spec("sums", "beam", 8)
    assert pool
    whole = {r.index: r for r in read(tmp_path, pool)}
    beams = {r.index: r for r in read(tmp_path, beam)}
    stop, eight, most, searched = found.evidence.cost.T
    for i in range(40):
        record = whole[i]
        decoded = record.spend.flops - record.prompt_flops
        assert stop[i] == pytest.approx(record.prompt_flops + decoded * 4 / 32)
        assert eight[i] == pytest.approx(record.prompt_flops + decoded * 8 / 32)
        assert most[i] == pytest.approx(record.spend.flops)
        assert searched[i] == pytest.approx(stop[i] + beams[i].spend.flops)
    assert found.evidence.fixed[-1].cost == pytest.approx(searched - stop)


async def test_the_better_of_arm_and_probe_counts(tmp_path: Path) -> None:
    grid = await measured(tmp_path, ("best-of-n:8", "best-of-n:32", "beam:1"), problems=80)
    found = fit_table(grid, tmp_path, bins=4, tolerance=0.01)
    pool, kept = grid.pool("sums"), 0
    assert pool
    whole = {r.index: r.samples for r in read(tmp_path, pool)}
    beams = {r.index: r for r in read(tmp_path, grid.spec("sums", "beam", 1))}
    for i in range(80):
        probe = max(whole[i][:4], key=lambda s: s.score or 0.0)
        eight = max([*whole[i][4:8], probe], key=lambda s: s.score or 0.0)
        beam = beams[i]
        searched = probe if (probe.score or 0.0) > (beam.score or 0.0) else beam
        expected = [probe.correct, eight.correct, searched.correct]
        assert found.evidence.correct[i, [0, 1, 3]].tolist() == expected
        kept += searched is probe
    assert 0 < kept < 80


async def test_the_offline_probe_is_the_probe_of_the_strategy(tmp_path: Path) -> None:
    """On the same seed the scripted model's probe is the start of the pool."""
    found = fit_table(await measured(tmp_path), tmp_path, bins=4, tolerance=0.0)
    strategy, task = Auto(table=str(found.files[0])), Sums()
    for row, example in enumerate(task.examples("dev", 40)):
        result = await solve(
            example.problem, strategy, Scripted(), Verdict(),
            sampling=task.sampling, extract=task.answer,
        )  # fmt: skip
        probe = [(s.answer, s.score or 0.0) for s in result.candidates[:4]]
        for name, feature in FEATURES.items():
            assert found.evidence.features[name][row] == feature(probe)
        stopped = len(result.candidates) == 4
        assert stopped == (found.table.arm(probe).strategy == "stop")
        if stopped:
            assert task.check(example, result.text) == found.evidence.correct[row, 0]


async def test_the_report_and_the_table_are_written(tmp_path: Path) -> None:
    grid = await measured(tmp_path)
    found = fit_table(grid, tmp_path, bins=4, tolerance=0.01)
    table = Table.model_validate_json((tmp_path / "auto.json").read_bytes())
    assert table == found.table and table.fitted
    assert (table.fitted.problems, table.fitted.split) == (40, "dev")
    told = found.as_json()
    cross, arms = told["cross_validated"], told["arms"]
    assert cross["accuracy"] == found.allocated.accuracy
    assert sum(cross["given"].values()) == 40
    top = max(a["accuracy"] for a in arms)
    assert cross["best_fixed"]["accuracy"] == top
    assert cross["best_fixed"]["saving"] == pytest.approx(
        cross["best_fixed"]["cost"] / cross["cost"]
    )
    assert told["by_task"]["sums"]["accuracy"] == cross["accuracy"]
    fixed = cross["as_accurate"]
    assert fixed["saving"]["value"] == pytest.approx(fixed["cost"] / cross["cost"])
    assert fixed["saving"]["low"] <= fixed["saving"]["value"] <= fixed["saving"]["high"]
    assert fixed["gain"]["value"] == pytest.approx(cross["accuracy"] - fixed["accuracy"])


async def test_failed_problems_are_left_out(tmp_path: Path) -> None:
    grid = await measured(tmp_path)
    beam = grid.spec("sums", "beam", 8)
    sql(tmp_path, "DELETE FROM records WHERE key = ? AND place >= 37", beam.key)
    found = fit_table(grid, tmp_path, bins=4, tolerance=0.01)
    assert found.left_out == 3 and len(found.evidence) == 37


async def test_too_few_problems_are_told(tmp_path: Path) -> None:
    grid = await measured(tmp_path, problems=3)
    with pytest.raises(StoreError, match="3 problems"):
        fit_table(grid, tmp_path, bins=4, tolerance=0.01)


@pytest.mark.parametrize("arm", ["beam", "beam:0", "beam:x", "auto:4", "majority:8", "greedy:1"])
def test_an_arm_that_cannot_be_is_refused(arm: str) -> None:
    with pytest.raises(ConfigError, match="arm"):
        arm_grid([arm], 4)


def test_the_oracle_fits_nothing() -> None:
    with pytest.raises(ConfigError, match="oracle"):
        arm_grid(NAMES, 4, verifier="oracle")
