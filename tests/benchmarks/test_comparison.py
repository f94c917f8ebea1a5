"""Strategies at equal cost: mixtures of sizes, paired intervals, and the figure."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from reasoner.benchmarks import forest
from reasoner.benchmarks.comparison import chance, comparison
from reasoner.benchmarks.curves import points
from reasoner.benchmarks.equal_cost import Curve, Row, compare, judged
from reasoner.benchmarks.estimators.holm import holm
from reasoner.benchmarks.estimators.paired import difference
from reasoner.benchmarks.grid import Grid
from reasoner.benchmarks.report import report
from reasoner.errors import ConfigError
from tests.benchmarks.tables import sql


def line(*costs: float) -> Curve:
    """Each size solves one more of four problems than the one before."""
    values = np.array([[float(p <= i) for p in range(4)] for i in range(len(costs))])
    return Curve("s", None, tuple(range(1, len(costs) + 1)), np.array(costs), values)


def test_between_two_sizes_problems_are_shared_out_so_that_the_mean_cost_is_the_budget() -> None:
    share = line(10, 20, 40).at(25)
    assert share is not None
    assert (share.sizes, share.spent) == ((2, 3), 25)
    assert share.values.tolist() == [1, 1, 0.25, 0]


def test_above_its_largest_size_a_strategy_spends_less_than_the_budget() -> None:
    share = line(10, 20).at(100)
    assert share is not None
    assert (share.sizes, share.spent) == ((2,), 20)


def test_below_its_smallest_size_there_is_nothing_to_compare() -> None:
    assert line(10, 20).at(9.7) is None


def test_a_smallest_size_that_costs_hardly_more_meets_the_budget() -> None:
    share = line(10, 20).at(9.9)
    assert share is not None
    assert (share.sizes, share.spent) == ((1,), 10)


def test_the_paired_interval_is_narrower_than_an_unpaired_one_and_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(2000)
    one, other = (hard < 0.5).astype(float), (hard < 0.52).astype(float)
    gain = difference(other, one)
    assert gain.low < 0.02 < gain.high
    assert gain.value == pytest.approx((other - one).mean())
    assert gain.high - gain.low < 0.015  # two independent samples of this size: about 0.06


async def test_a_comparison_is_drawn_from_the_results_alone(
    bench_type: type, tmp_path: Path
) -> None:
    bench = bench_type(tmp_path, strategies=["best-of-n", "majority", "beam"])
    await bench.run()
    rows = compare([(bench.grid, tmp_path)], sizes=(4, 8))
    assert {r.strategy for r in rows} == {"best-of-n", "majority", "beam"}
    assert {r.cost for r in rows} == {"generated_tokens", "flops"}
    best = [r for r in rows if r.strategy == "best-of-n"]
    assert all(r.gain == r.gain_low == r.gain_high == 0 for r in best)
    assert all(r.spent <= r.budget for r in rows)
    png, svg = forest.draw(rows, tmp_path)
    assert png.stat().st_size > 10_000
    assert "majority" in svg.read_text()


async def test_without_best_of_n_there_is_nothing_to_compare_with(
    bench_type: type, tmp_path: Path
) -> None:
    bench = bench_type(tmp_path, strategies=["beam"])
    await bench.run()
    with pytest.raises(ConfigError, match="no best-of-n"):
        compare([(bench.grid, tmp_path)])


async def test_a_size_that_was_stopped_half_way_is_left_out(
    bench_type: type, tmp_path: Path
) -> None:
    bench = bench_type(tmp_path, strategies=["best-of-n", "beam"])
    await bench.run()
    beam = bench.grid.spec("sums", "beam", 8)
    sql(tmp_path, "DELETE FROM records WHERE key = ? AND place >= 9", beam.key)
    rows = compare([(bench.grid, tmp_path)], sizes=(8,))
    assert all(8 not in r.sizes for r in rows if r.strategy == "beam")


async def test_searches_that_attempt_fewer_problems_are_paired_on_those(
    bench_type: type, tmp_path: Path
) -> None:
    asked = {"strategies": ["greedy", "best-of-n", "beam"]}
    few = bench_type(tmp_path / "few", problems=9, **asked)
    await few.run()
    many = bench_type(tmp_path / "many", problems=30, search_problems=9, **asked)
    assert (await many.run()).finished == 2 * 30 + 9 * len(many.grid.search_ns)
    assert {(p.strategy, p.problems) for p in points(many.grid, many.out)} == {
        ("greedy", 30),
        ("best-of-n", 30),
        ("pass@k", 30),
        ("beam", 9),
    }
    shown = StringIO()
    report(many.grid, many.out).show(Console(file=shown, width=110))
    assert (
        "sums: 9 to 30 test problems" in shown.getvalue()
        and "problems  accuracy" in shown.getvalue()
    )
    rows = compare([(many.grid, many.out)], sizes=(4, 8))
    assert rows and rows == compare([(few.grid, few.out)], sizes=(4, 8))
    # A pool that is under way is compared on the problems that it has.
    pool = many.grid.pool("sums")
    sql(many.out, "DELETE FROM records WHERE key = ? AND place IN (2, 20)", pool.key)
    found = compare([(many.grid, many.out)], sizes=(4, 8))
    assert {r.problems for r in found} == {8}


async def test_runs_are_compared_with_one_another(bench_type: type, tmp_path: Path) -> None:
    runs = list[tuple[Grid, Path]]()
    for name, strategies in (
        ("old", ["best-of-n", "beam"]),
        ("new", ["best-of-n", "beam(branch=4)"]),
    ):
        bench = bench_type(tmp_path / name, strategies=strategies, problems=20)
        await bench.run()
        runs.append((bench.grid, tmp_path / name))
    rows = compare(runs, sizes=(8,))
    assert {r.strategy for r in rows} == {
        "best-of-n",
        "beam",
        "best-of-n (new)",
        "beam(branch=4) (new)",
    }
    # The same seeds on the same problems: the second pool is the first one.
    assert {r.gain for r in rows if r.strategy == "best-of-n (new)"} == {0}
    alone = {(r.strategy, r.cost): r for r in compare([runs[0]], sizes=(8,))}
    for row in rows:
        if "(new)" not in row.strategy:
            found = alone[row.strategy, row.cost]
            among = {"p_holm": found.p_holm, "comparisons": found.comparisons}
            assert row.model_copy(update=among) == found
    shorter = bench_type(tmp_path / "short", strategies=["beam"], problems=5)
    await shorter.run()
    with pytest.raises(ConfigError, match="different problems of sums"):
        compare([runs[0], (shorter.grid, shorter.out)], sizes=(8,))


def told(**more: Any) -> Row:
    """A row about 100 problems on which a beam gains 0.1."""
    setting: dict[str, Any] = {
        "task": "sums", "cost": "flops", "budget": 1, "strategy": "beam", "verifier": None, "problems": 100,
        "sizes": (4,), "spent": 1, "accuracy": 0.6, "ci_low": 0.5, "ci_high": 0.7,
        "gain": 0.1, "gain_low": 0.02, "gain_high": 0.18, "p": 0.02, "exact": True, "detectable": 0.0512,
    }  # fmt: skip
    return Row(**{**setting, **more})


def test_verdicts() -> None:
    lost = {"gain": -0.1, "gain_low": -0.18, "gain_high": -0.02}
    found = judged(
        [
            told(),
            told(p=0.001, **lost),
            told(p=0.7, gain_low=-0.1),
            told(p=None, strategy="best-of-n"),
        ]
    )
    assert [row.verdict for row in found] == [
        "beam wins", "best-of-n wins", "within noise: could have seen 0.051", "",
    ]  # fmt: skip
    rows = list(judged([told()] * 3))
    assert {row.verdict for row in rows} == {"beam wins alone, not among 3"}
    assert [row.p_holm for row in rows] == pytest.approx([0.06] * 3)
    assert [row.verdict for row in judged([told()])] == ["beam wins"]


async def test_rows_tell_what_their_problems_could_have_shown(
    bench_type: type, tmp_path: Path
) -> None:
    bench = bench_type(tmp_path, strategies=["best-of-n", "beam", "greedy"], problems=40)
    await bench.run()
    rows = [r for r in compare([(bench.grid, tmp_path)], sizes=(4, 8)) if r.strategy != "best-of-n"]
    tokens = [r for r in rows if r.cost == "generated_tokens"]
    assert {r.comparisons for r in tokens} == {len(tokens)}
    assert [r.p_holm for r in tokens] == holm([r.p for r in tokens if r.p is not None])
    # At the pool's own size best-of-n is a single decision too, and so is greedy.
    [single] = [r for r in tokens if r.strategy == "greedy" and r.exact]
    assert single.budget == max(r.budget for r in tokens)
    assert all(r.verdict and r.detectable and r.detectable > 0 for r in rows)


async def test_the_table_says_how_many_comparisons_it_holds(
    bench_type: type, tmp_path: Path
) -> None:
    bench = bench_type(tmp_path, strategies=["best-of-n", "beam"], problems=20)
    await bench.run()
    shown = Console(width=120, record=True, file=StringIO())
    found = comparison([tmp_path], tmp_path, sizes=(4, 8))
    found.show(shown)
    text = shown.export_text()
    assert "sums: against best-of-n at equal generated tokens, 2 comparisons" in text
    assert "Holm" in text and all(r.verdict in text for r in found.rows)
    kept = json.loads((tmp_path / "comparison.json").read_text())
    assert [Row.model_validate(row) for row in kept] == found.rows


@pytest.mark.parametrize(("p", "shown"), [(0.0001, "<.001"), (0.0312, ".031"), (0.99999, "1")])
def test_chances(p: float, shown: str) -> None:
    assert chance(p) == shown
