"""Over-optimisation is told of where it is, in a diagnosis and in a benchmark, and nowhere else."""

from __future__ import annotations

import io
import re
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from reasoner.backends.scripted import Scripted, doubt
from reasoner.benchmarks.analysis.overoptimisation import over_optimisation
from reasoner.benchmarks.reports.bench import report
from reasoner.benchmarks.stats import best_score_at_k
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.types import Prompt
from tests.benchmarks.synthetic import Rule, blind, exploited, knows, pool, ranked, saturating

NS = (1, 2, 4, 8, 16, 32, 64)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_the_best_score_is_the_mean_over_every_subset(scores: list[float]) -> None:
    for k in range(1, len(scores) + 1):
        every = fmean(max(c) for c in combinations(scores, k))
        assert best_score_at_k(scores, k) == pytest.approx(every)


def test_an_exploited_verifier_is_over_optimised() -> None:
    found = over_optimisation(pool(100, 64, exploited), NS)
    assert found is not None and found.shows
    assert found.peak < found.n == 64
    assert found.accuracy_at_peak > found.accuracy + 0.1
    assert found.score_at_peak < found.score
    fall = found.accuracy - found.accuracy_at_peak
    assert found.slope.value == pytest.approx(fall / {4: 4, 8: 3, 16: 2}[found.peak])
    told = str(found)
    assert f"from n={found.peak} to n=64" in told and "points a doubling" in told


@pytest.mark.parametrize("rule", [ranked, saturating, knows])
def test_a_good_verifier_is_not(rule: Rule) -> None:
    found = over_optimisation(pool(100, 64, rule), NS)
    assert found is not None and not found.shows


def test_chance_alone_is_seldom_taken_for_over_optimisation() -> None:
    whole = pool(1600, 16, blind)
    parts = [whole[i : i + 40] for i in range(0, 1600, 40)]
    found = [over_optimisation(part, NS[:5]) for part in parts]
    assert sum(f is not None and f.shows for f in found) <= 3


def test_one_size_alone_neither_rises_nor_falls() -> None:
    assert over_optimisation(pool(3, 4, ranked), (4,)) is None
    assert over_optimisation([], NS) is None


def flattered(prompt: Prompt, step: str) -> float:
    """As `doubt`, but sure of one wrong solution in thirty."""
    text = prompt.text + step
    lucky = Random(text).random() < 1 / 30
    honest = 0.9 * doubt(prompt, step)
    return 0.99 if lucky and honest < 0.5 and "#" in text.rpartition("\n")[2] else honest


@pytest.mark.parametrize(("judge", "warned"), [(flattered, True), (doubt, False)])
async def test_a_benchmark_warns_of_it(
    tmp_path: Path, bench_type: type, judge: type, warned: bool
) -> None:
    bench = bench_type(
        tmp_path, Scripted(judge=judge), ns=NS, problems=60,
        strategies=["majority", "best-of-n"], verifier="verdict(aggregate='last')",
    )  # fmt: skip
    await bench.run()
    found, screen = report(RunFolder(tmp_path, bench.grid)), io.StringIO()
    found.show(Console(file=screen, width=200))
    told = re.findall(r"^sums: .* is over-optimised: .*", screen.getvalue(), re.MULTILINE)
    assert len(told) == len(found.warnings) == found.as_json()["warnings"].__len__() == warned
    assert screen.getvalue().count("best-of-n falls") == 0


async def test_without_best_of_n_there_is_nothing_to_warn_of(
    tmp_path: Path, bench_type: type
) -> None:
    bench = bench_type(tmp_path, strategies=["majority", "greedy"])
    await bench.run()
    assert report(RunFolder(tmp_path, bench.grid)).warnings == []
