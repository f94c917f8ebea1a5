"""Points, intervals, headline and pictures, from stored results alone."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rich.console import Console

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.analysis.curves import Outcome, Point
from reasoner.benchmarks.reports.bench import Drawing, report
from reasoner.benchmarks.reports.summary import falls, iso_accuracy
from reasoner.benchmarks.store.pool_costs import costs_of
from reasoner.benchmarks.store.price import Price
from reasoner.benchmarks.store.records import Spec, Spend
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError, StoreError
from reasoner.types import Generation, Prompt, Sampling
from tests.benchmarks.tables import sql

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

KEYS = {
    "task", "strategy", "verifier", "n", "budget", "problems", "accuracy", "ci_low", "ci_high",
    "generated_tokens", "prompt_tokens_fresh", "prompt_tokens_cached", "verifier_tokens", "flops",
    "seconds", "seconds_median", "seconds_p95", "oracle", "split",
}  # fmt: skip


def point(strategy: str, n: int, accuracy: float, tokens: float) -> Point:
    costs = {
        "prompt_tokens_fresh": 9,
        "prompt_tokens_cached": 0,
        "verifier_tokens": 0,
        "seconds": 1,
        "seconds_median": 1,
        "seconds_p95": 1,
    }
    return Point.model_validate(
        {"task": "t", "strategy": strategy, "verifier": None, "n": n, "budget": None}
        | {"problems": 9, "accuracy": accuracy, "ci_low": 0, "ci_high": 1}
        | {"generated_tokens": tokens, "flops": 2 * tokens, **costs}
    )


async def test_a_report_has_summary_pictures_and_table(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    bench = bench_type(tmp_path, problems=8, budgets=[{"tokens": 90}])
    await bench.run()
    found = report(RunFolder(tmp_path, bench.grid))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert isinstance(summary, list) and all(set(p) == KEYS for p in summary)
    names = {"greedy", "majority", "best-of-n", "weighted", "beam", "particle", "mcts", "pass@k"}
    assert {p["strategy"] for p in summary} == names
    assert [p["oracle"] for p in summary] == [p["strategy"] == "pass@k" for p in summary]
    assert all(0 <= p["ci_low"] <= p["accuracy"] <= p["ci_high"] <= 1 for p in summary)
    about = json.loads((tmp_path / "environment.json").read_text())
    assert {"seed", "command", "commit", "hardware", "packages", "date"} <= set(about)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "curve.svg").read_text()
    assert all(name in svg for name in names)
    screen = io.StringIO()
    found.show(Console(file=screen, width=110))
    assert "\x1b" not in screen.getvalue() and "best-of-8" in screen.getvalue()


async def test_the_verifier_helps_and_all_curves_start_together(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    bench = bench_type(tmp_path, strategies=["majority", "best-of-n", "weighted"])
    await bench.run()
    found = {(p.strategy, p.n): p.accuracy for p in report(RunFolder(tmp_path, bench.grid)).points}
    assert (
        len({round(found[s, 1], 9) for s in ("majority", "best-of-n", "weighted", "pass@k")}) == 1
    )
    assert found["best-of-n", 8] > found["best-of-n", 1]
    assert found["pass@k", 8] >= found["best-of-n", 8]


async def test_curves_against_anything_they_cost(tmp_path: Path, bench_type: type[Bench]) -> None:
    bench = bench_type(tmp_path, strategies=["best-of-n", "beam"], problems=3)
    await bench.run()
    price = Price(prompt=1, generated=4)
    against = ("price", "seconds", "samples")
    found = report(RunFolder(tmp_path, bench.grid), Drawing(against, price, ("svg", "pdf")))
    svg, pdf = (tmp_path / f"curve.{ending}" for ending in ("svg", "pdf"))
    assert {svg, pdf} < set(found.files) and pdf.read_bytes().startswith(b"%PDF")
    drawn = svg.read_text()
    labels = ("price per problem", "seconds per problem", "samples per problem")
    assert all(label in drawn for label in labels) and "FLOPs" not in drawn
    with pytest.raises(ConfigError, match="give it with --price"):
        report(RunFolder(tmp_path, bench.grid), Drawing(("price",)))


def test_a_price_counts_every_kind_of_token() -> None:
    spent = {"prompt_tokens_fresh": 1e6, "prompt_tokens_cached": 2e6, "verifier_tokens": 3e6}
    made = point("beam", 4, 0.5, 4e6).model_copy(update=spent)
    assert Price(prompt=1, generated=10, cached=0.5, verifier=2).of(made) == 1 + 1 + 40 + 6
    assert Price(prompt=1).of(made) == 3


def test_nothing_to_plot_is_a_clear_error(tmp_path: Path, bench_type: type[Bench]) -> None:
    with pytest.raises(StoreError, match="no results to plot"):
        report(RunFolder(tmp_path, bench_type(tmp_path).grid))


async def test_a_corrupt_file_is_a_clear_error(tmp_path: Path, bench_type: type[Bench]) -> None:
    bench = bench_type(tmp_path, strategies=["greedy"], problems=2)
    await bench.run()
    sql(tmp_path, "UPDATE records SET record = '{]'")
    with pytest.raises(
        StoreError, match=r"is corrupt: the record of sums greedy n=1, problem test-0"
    ):
        report(RunFolder(tmp_path, bench.grid))


def test_iso_accuracy_takes_the_cheapest_point_that_is_as_good() -> None:
    line = [point("beam", 4, 0.7, 200), point("beam", 8, 0.9, 400), point("beam", 16, 0.95, 800)]
    goal = [point("best-of-n", 4, 0.6, 400), point("best-of-n", 64, 0.85, 6400)]
    [iso] = iso_accuracy([*line, *goal, point("pass@k", 64, 0.99, 6400)])
    assert (iso.strategy, iso.n, iso.tokens_ratio, iso.best_of) == ("beam", 8, 1 / 16, 64)
    assert "1/16.0" in str(iso)
    [missed] = iso_accuracy([point("mcts", 4, 0.7, 200), *goal])
    assert missed.n is None and "does not reach" in str(missed)


def test_a_curve_that_falls_is_met_at_its_peak_and_told_of() -> None:
    fall = [point("best-of-n", 8, 0.8, 800), point("best-of-n", 64, 0.3, 6400)]
    fall = [p.model_copy(update={"ci_low": p.accuracy - 0.1}) for p in fall]
    [iso] = iso_accuracy([*fall, point("beam", 4, 0.5, 200)])
    assert (iso.best_of, iso.target, iso.n) == (8, 0.8, None)
    assert not list(falls(fall))  # best-of-N's warning needs its samples
    fall = [p.model_copy(update={"strategy": "weighted"}) for p in fall]
    [line] = falls(fall)
    assert "from 80.0% (n=8) to 30.0% (n=64)" in line
    assert not list(falls(fall[:1]))


def test_the_interval_of_a_point_is_wilsons() -> None:
    made = Outcome(
        Spec(task="t", backend="b", strategy="beam", n=1),
        range(100),
        np.array([1.0] * 30 + [0.0] * 70),
        costs_of([Spend()]),
    )
    found = made.point()
    assert found.accuracy == pytest.approx(0.3)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.2189, 0.3958), abs=1e-3)


class Unreported(Scripted):
    """A server that reports no prompt tokens: they are estimated."""

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        generation = await super().generate(prompt, sampling)
        usage = replace(generation.usage, estimated_tokens=generation.usage.prompt_tokens)
        return replace(generation, usage=usage)


async def test_estimated_tokens_are_told(tmp_path: Path, bench_type: type[Bench]) -> None:
    bench = bench_type(tmp_path, Unreported(), problems=4, strategies=["majority"])
    await bench.run()
    run = RunFolder(tmp_path, bench.grid)
    [record, *_] = records = run.pool("sums")
    told = sum(r.estimated_tokens for r in records)
    all_of_them = sum(
        r.spend.generated_tokens + r.spend.prompt_tokens_fresh + r.spend.prompt_tokens_cached
        for r in records
    )
    assert record.estimated_tokens > 0 and told < all_of_them
    [warning] = report(run, Drawing(formats=("svg",))).warnings
    assert warning.startswith(f"{told / all_of_them:.0%} of the tokens are estimates")
