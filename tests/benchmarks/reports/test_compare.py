"""Strategies against best-of-N at what they spent: its sizes, paired intervals, and the figure."""

from __future__ import annotations

import json
import math
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from reasoner.benchmarks.analysis.curves import points, sample_pool
from reasoner.benchmarks.analysis.equal_cost import BestOfNCurve, ComparisonRow, compare, judged
from reasoner.benchmarks.plots import accuracy_vs_cost as plot
from reasoner.benchmarks.plots import gain_at_equal_cost as forest
from reasoner.benchmarks.reports.bench import report
from reasoner.benchmarks.reports.compare import chance, comparison, gain, side, words
from reasoner.benchmarks.stats.holm import holm
from reasoner.benchmarks.stats.paired import difference
from reasoner.benchmarks.store.records import Record, Spend
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError
from tests.benchmarks.tables import sql


def pool(*samples: tuple[float, bool], problems: int = 3) -> list[Record]:
    """Problems with the same samples, each a score and whether it is right, of ten tokens each."""
    told = [
        {"answer": "a", "correct": right, "score": score, "tokens": 10} for score, right in samples
    ]
    spend = Spend(generated_tokens=10 * len(told), prompt_tokens_fresh=4, generator_flops=8)
    one = {"problem": "p", "index": 0, "correct": False, "spend": spend, "samples": told}
    return [Record.model_validate(one | {"problem": str(i), "index": i}) for i in range(problems)]


def best(*samples: tuple[float, bool]) -> BestOfNCurve:
    records = pool(*samples)
    return BestOfNCurve(sample_pool(records), records)


TOKENS = "generated_tokens"
FOUR = ((0.4, True), (0.3, False), (0.2, False), (0.1, False))
"""The best of `k` of these is right in `k` of four choices."""


def test_best_of_n_is_had_in_every_size_of_its_pool() -> None:
    found = [best(*FOUR).at(TOKENS, 10.0 * n) for n in (1, 2, 3, 4)]
    assert [rival.sizes for rival in found] == [(1,), (2,), (3,), (4,)]
    assert [rival.spent for rival in found] == [10, 20, 30, 40]
    assert [rival.values.tolist() for rival in found] == [[n / 4] * 3 for n in (1, 2, 3, 4)]


def test_between_two_neighbouring_sizes_it_is_interpolated_in_log_cost() -> None:
    rival = best(*FOUR).at(TOKENS, 24)
    assert (rival.sizes, rival.spent) == ((2, 3), 24)
    share = math.log(24 / 20) / math.log(30 / 20)
    assert rival.values.tolist() == pytest.approx([(2 + share) / 4] * 3)


@pytest.mark.parametrize(("cost", "size", "spent"), [(7, 1, 10), (400, 4, 40)])
def test_beyond_its_pool_nothing_is_extrapolated(cost: float, size: int, spent: float) -> None:
    rival = best(*FOUR).at(TOKENS, cost)
    assert (rival.sizes, rival.spent) == ((size,), spent)


def test_costs_of_one_size_are_that_size_whatever_rounding_does() -> None:
    for off in (-1e-12, 1e-12):
        assert best(*FOUR).at(TOKENS, 20 * (1 + off)).sizes == (2,)


def test_the_paired_interval_is_narrower_than_an_unpaired_one_and_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(2000)
    one, other = (hard < 0.5).astype(float), (hard < 0.52).astype(float)
    found = difference(other, one)
    assert found.low < 0.02 < found.high
    assert found.value == pytest.approx((other - one).mean())
    assert found.high - found.low < 0.015  # two independent samples of this size: about 0.06


async def test_a_comparison_is_drawn_from_the_results_alone(
    bench_type: type, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"strategies": ["best-of-n", "majority", "beam"], "search_ns": [2, 4]}
    bench = bench_type(tmp_path, **asked)
    await bench.run()
    rows = compare([RunFolder(tmp_path, bench.grid)])
    for cost in ("generated_tokens", "flops"):
        sizes = [(r.strategy, r.n) for r in rows if r.cost == cost]
        assert sizes == [
            ("best-of-n", 1), ("best-of-n", 4), ("best-of-n", 8),
            ("majority", 1), ("majority", 4), ("majority", 8), ("beam", 2), ("beam", 4),
        ]  # fmt: skip
    png, svg = forest.draw(rows, tmp_path)
    assert png.stat().st_size > 10_000
    assert "majority" in svg.read_text() and "n = 8" in svg.read_text()
    task, name = f"jsonl(data='{'/long' * 60}')", f"ensemble(members='{'beam,' * 60}')"
    long = [r.model_copy(update={"task": task, "strategy": name}) for r in rows]
    _, svg = forest.draw(long, tmp_path)  # A layout that fails is a warning, and so an error.
    assert task not in svg.read_text() and name not in svg.read_text()
    plot.draw(
        [
            p.model_copy(update={"task": task, "strategy": name})
            for p in points(RunFolder(tmp_path, bench.grid))
        ],
        tmp_path,
    )


async def test_best_of_n_is_compared_at_what_a_strategy_spent(
    bench_type: type, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"strategies": ["best-of-n", "majority", "beam"], "search_ns": [2, 4]}
    bench = bench_type(tmp_path, **asked)
    await bench.run()
    costs = {(p.strategy, p.n): p for p in points(RunFolder(tmp_path, bench.grid))}
    for row in compare([RunFolder(tmp_path, bench.grid)]):
        assert row.spent == pytest.approx(getattr(costs[row.strategy, row.n], row.cost))
        assert row.accuracy == pytest.approx(costs[row.strategy, row.n].accuracy)
        assert row.gain == pytest.approx(
            0 if row.strategy == "best-of-n" else row.accuracy - row.rival_accuracy
        )
        if row.strategy != "beam":  # what a pool decides costs what best-of-n of that size does
            assert row.rivals == (row.n,) and row.equal and not row.interpolated
            assert row.rival_accuracy == pytest.approx(costs["best-of-n", row.n].accuracy)
        elif row.interpolated:
            low, high = row.rivals
            assert high == low + 1 and row.equal and row.rival_spent == row.spent
    beams = [r for r in compare([RunFolder(tmp_path, bench.grid)]) if r.strategy == "beam"]
    assert any(r.interpolated for r in beams)


async def test_a_strategy_that_outspends_the_pool_is_marked(
    bench_type: type, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"strategies": ["best-of-n", "beam"], "ns": [1, 2], "search_ns": [8]}
    bench = bench_type(tmp_path, **asked)
    await bench.run()
    [row] = [r for r in compare([RunFolder(tmp_path, bench.grid)]) if r.strategy == "beam"][:1]
    assert (row.rivals, row.equal, row.interpolated) == ((2,), False, False)
    assert row.rival_spent < row.spent / 2
    assert "but best-of-2 spends 0." in row.verdict
    shown = Console(width=120, record=True, file=StringIO())
    comparison([RunFolder(tmp_path)], tmp_path).show(shown)
    assert " 2! " in shown.export_text()


async def test_only_the_sizes_asked_for_are_compared(bench_type: type, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"strategies": ["greedy", "best-of-n", "beam"], "search_ns": [2, 4]}
    bench = bench_type(tmp_path, **asked)
    await bench.run()
    rows = compare([RunFolder(tmp_path, bench.grid)], sizes=(4,))
    assert {(r.strategy, r.n) for r in rows} == {("greedy", 1), ("best-of-n", 4), ("beam", 4)}
    one = bench_type(tmp_path, strategies=["best-of-n", "beam"], search_ns=[2, 4])
    with pytest.raises(ConfigError, match=r"sums was run in sizes 1, 2, 4, 8, none of those"):
        compare([RunFolder(tmp_path, one.grid)], sizes=(3,))


async def test_without_best_of_n_there_is_nothing_to_compare_with(
    bench_type: type, tmp_path: Path
) -> None:
    bench = bench_type(tmp_path, strategies=["beam"])
    await bench.run()
    with pytest.raises(ConfigError, match="no best-of-n"):
        compare([RunFolder(tmp_path, bench.grid)])


async def test_a_size_that_was_stopped_half_way_is_left_out(
    bench_type: type, tmp_path: Path
) -> None:
    bench = bench_type(tmp_path, strategies=["best-of-n", "beam"])
    await bench.run()
    beam = bench.grid.spec("sums", "beam", 8)
    sql(tmp_path, "DELETE FROM records WHERE key = ? AND place >= 9", beam.key)
    rows = compare([RunFolder(tmp_path, bench.grid)], sizes=(8,))
    assert all(r.n != 8 for r in rows if r.strategy == "beam")


async def test_searches_that_attempt_fewer_problems_are_paired_on_those(
    bench_type: type, tmp_path: Path
) -> None:
    asked = {"strategies": ["greedy", "best-of-n", "beam"]}
    few = bench_type(tmp_path / "few", problems=9, **asked)
    await few.run()
    many = bench_type(tmp_path / "many", problems=30, search_problems=9, **asked)
    assert (await many.run()).finished == 2 * 30 + 9 * len(many.grid.search_ns)
    assert {(p.strategy, p.problems) for p in points(RunFolder(many.out, many.grid))} == {
        ("greedy", 30),
        ("best-of-n", 30),
        ("pass@k", 30),
        ("beam", 9),
    }
    shown = StringIO()
    report(RunFolder(many.out, many.grid)).show(Console(file=shown, width=110))
    assert (
        "sums: 9 to 30 test problems" in shown.getvalue()
        and "problems  accuracy" in shown.getvalue()
    )
    rows = compare([RunFolder(many.out, many.grid)], sizes=(4, 8))
    assert rows and rows == compare([RunFolder(few.out, few.grid)], sizes=(4, 8))
    # A pool that is under way is compared on the problems that it has.
    pool = many.grid.pool("sums")
    sql(many.out, "DELETE FROM records WHERE key = ? AND place IN (2, 20)", pool.key)
    found = compare([RunFolder(many.out, many.grid)], sizes=(4, 8))
    assert {r.problems for r in found} == {8}


@pytest.mark.slow
async def test_runs_are_compared_with_one_another(bench_type: type, tmp_path: Path) -> None:
    runs = list[RunFolder]()
    for name, strategies in (
        ("old", ["best-of-n", "beam"]),
        ("new", ["best-of-n", "beam(branch=4)"]),
    ):
        bench = bench_type(tmp_path / name, strategies=strategies, problems=20)
        await bench.run()
        runs.append(RunFolder(tmp_path / name, bench.grid))
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
        compare([runs[0], RunFolder(shorter.out, shorter.grid)], sizes=(8,))


def told(**more: Any) -> ComparisonRow:
    """A row about 100 problems on which a beam gains 0.1."""
    setting: dict[str, Any] = {
        "task": "sums", "cost": "flops", "strategy": "beam", "verifier": None, "problems": 100, "n": 4,
        "spent": 1, "accuracy": 0.6, "ci_low": 0.5, "ci_high": 0.7,
        "rivals": (4,), "rival_spent": 1, "rival_accuracy": 0.5, "interpolated": False, "equal": True,
        "gain": 0.1, "gain_low": 0.02, "gain_high": 0.18, "p": 0.02, "exact": True, "detectable": 0.0512,
    }  # fmt: skip
    return ComparisonRow(**{**setting, **more})


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
    far = told(equal=False, rival_spent=0.5)
    assert [r.verdict for r in judged([far])] == [
        "beam wins, but best-of-4 spends 0.5 times as much"
    ]


def test_words_tell_who_is_ahead_at_equal_cost_of_each_kind() -> None:
    lost = {"gain": -0.1, "gain_low": -0.18, "gain_high": -0.02}
    tokens = [told(cost="generated_tokens", n=n) for n in (4, 16)]
    flops = [told(p=0.9, gain_low=-0.1), told(n=16, p=1e-4, **lost), told(n=64)]
    assert list(words([*judged(tokens), *judged(flops)])) == [
        "At equal generated tokens, ahead: beam (4, 16).",
        "At equal FLOPs, verifier included, ahead: beam (64);"
        " behind: beam (16); within noise: beam (4).",
    ]
    alone = list(judged([told(n=n) for n in (1, 2, 3)]))
    assert side(alone[0]) == "ahead alone, not among 3"


async def test_rows_tell_what_their_problems_could_have_shown(
    bench_type: type, tmp_path: Path
) -> None:
    bench = bench_type(tmp_path, strategies=["best-of-n", "beam", "greedy"], problems=20)
    await bench.run()
    rows = [
        r
        for r in compare([RunFolder(tmp_path, bench.grid)], sizes=(4, 8))
        if r.strategy != "best-of-n"
    ]
    tokens = [r for r in rows if r.cost == "generated_tokens"]
    assert {r.comparisons for r in tokens} == {len(tokens)}
    assert [r.p_holm for r in tokens] == holm([r.p for r in tokens if r.p is not None])
    assert all(r.verdict and r.detectable and r.detectable > 0 for r in rows)


@pytest.mark.slow
async def test_the_table_says_how_many_comparisons_it_holds(
    bench_type: type, tmp_path: Path
) -> None:
    bench = bench_type(tmp_path, strategies=["best-of-n", "beam"], problems=20)
    await bench.run()
    shown = Console(width=120, record=True, file=StringIO())
    found = comparison([RunFolder(tmp_path)], tmp_path, sizes=(4, 8))
    found.show(shown)
    text = shown.export_text()
    assert "sums: against best-of-n at equal cost, 2 comparisons" in text
    assert text.count("Holm") >= 2 and "tokens" in text and "GFLOPs" in text
    for row in (r for r in found.rows if r.p is not None):
        assert gain(row) in text
    for line in words(found.rows):
        assert line in " ".join(text.split())
    kept = json.loads((tmp_path / "comparison.json").read_text())
    assert [ComparisonRow.model_validate(row) for row in kept] == found.rows


@pytest.mark.parametrize(("p", "shown"), [(0.0001, "<.001"), (0.0312, ".031"), (0.99999, "1")])
def test_chances(p: float, shown: str) -> None:
    assert chance(p) == shown
