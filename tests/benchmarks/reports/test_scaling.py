"""Growth of accuracy with compute: lines, savings, fronts and laws, from results alone."""

from __future__ import annotations

import asyncio
import json
import shutil
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.analysis.curves import outcomes, rising
from reasoner.benchmarks.reports.scaling import Scaling, curve, saving, scaling
from reasoner.benchmarks.stats.cost_curve import CostCurve
from reasoner.benchmarks.stats.log_linear import log_linear
from reasoner.benchmarks.stats.multiplier import Multiplier, multiplier
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.cli import main
from reasoner.errors import ConfigError, StoreError
from tests.benchmarks.conftest import Bench
from tests.benchmarks.tables import sql


def test_a_straight_line_is_found() -> None:
    rng = np.random.default_rng(0)
    costs = np.array([100.0, 200, 400, 800])
    rates = np.array([0.2, 0.3, 0.4, 0.5])
    values = (rng.random((4000, 1)) < rates).astype(float)  # Each problem from some size on.
    found = log_linear(CostCurve(costs, values))
    assert found.doubling.low < 0.1 < found.doubling.high
    assert found.doubling.high - found.doubling.low < 0.02 and found.r2 > 0.99
    level = log_linear(CostCurve(costs, (rng.random((4000, 1)) < 0.5 * np.ones(4)).astype(float)))
    assert level.doubling.value == pytest.approx(0) and level.r2 == 1


def test_a_line_of_least_squares_is_that_of_numpy() -> None:
    rng = np.random.default_rng(1)
    costs = rng.uniform(1, 2, (50, 4)) * [1, 3, 9, 50]
    values = rng.random((50, 4))
    found = log_linear(CostCurve(costs, values))
    x, y = np.log2(costs.mean(0)), values.mean(0)
    slope, start = np.polyfit(x, y, 1)
    assert found.doubling.value == pytest.approx(slope)
    assert found.r2 == pytest.approx(
        1 - ((y - start - slope * x) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    )
    with pytest.raises(ConfigError, match="two sizes"):
        log_linear(CostCurve(costs[:, :1], values[:, :1]))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that tests read."""
    out = tmp_path_factory.mktemp("scaling") / "run"
    bench = Bench(
        out, Scripted(),
        strategies=["greedy", "majority", "best-of-n", "beam"], ns=[1, 4, 16], search_ns=[4, 8], problems=60,
    )  # fmt: skip
    asyncio.run(bench.run())
    return out


async def test_every_strategy_has_its_line_and_what_it_saves(run: Path, tmp_path: Path) -> None:
    found = scaling(RunFolder(run), tmp_path, accuracy=0.5)
    rows = {row.strategy: row for row in found.rows if row.cost == "flops"}
    assert {name: row.sizes for name, row in rows.items()} == {
        "greedy": (1,), "majority": (1, 4, 16), "best-of-n": (1, 4, 16), "beam": (4, 8),
    }  # fmt: skip
    assert [rows["greedy"].line, rows["greedy"].area, rows["greedy"].multiplier] == [None] * 3
    best = rows["best-of-n"]
    assert best.line and best.line.doubling.low > 0 and best.multiplier is None
    assert all(0 <= share <= 1 for row in rows.values() for share in row.front.values())
    assert sum(share == 1 for row in rows.values() for share in row.front.values()) >= 1

    # What a row says is what the estimators say of the curves.
    every = list(outcomes(RunFolder(run), "sums"))
    curves = {
        name: curve(rising([o for o in every if o.spec.strategy == name], "flops"), "flops")
        for name in ("beam", "best-of-n")
    }
    assert rows["beam"].multiplier == multiplier(curves["beam"], curves["best-of-n"], 0.5)
    [law] = found.laws
    assert (law.problems, law.samples) == (60, 16)
    assert law.law and law.law.b.value > 0


async def test_the_file_and_the_tables(run: Path, tmp_path: Path) -> None:
    found = scaling(RunFolder(run), tmp_path)
    text = (tmp_path / "scaling.json").read_text()
    assert json.loads(text) == {k: v for k, v in found.as_json().items() if k != "files"}
    assert "Infinity" not in text and "NaN" not in text
    shown = printed(found)
    assert "sums: 60 problems, generated tokens, compute saved at" in shown
    assert "points a doubling" in shown and "sums: coverage of 60 problems is exp(-" in shown


async def test_some_sizes_only(run: Path, tmp_path: Path) -> None:
    found = scaling(RunFolder(run), tmp_path, [4, 16])
    assert {r.sizes for r in found.rows if r.strategy == "majority"} == {(4, 16)}
    with pytest.raises(ConfigError, match=r"best-of-n on sums at sizes 1, 4, 16; name two of them"):
        scaling(RunFolder(run), tmp_path, [5])


async def test_results_that_tell_no_cost(run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(run, tmp_path / "run")
    for spent in ("generator_flops", "generated_tokens"):
        sql(run, f"UPDATE records SET record = json_set(record, '$.spend.{spent}', 0)")
        if spent == "generator_flops":
            assert {row.cost for row in scaling(RunFolder(run), tmp_path).rows} == {
                "generated_tokens"
            }
    with pytest.raises(StoreError, match="has neither tokens nor FLOPs"):
        scaling(RunFolder(run), tmp_path)


def test_what_is_known_of_a_saving() -> None:
    def told(value: float | None, low: float, high: float) -> str:
        return saving(Multiplier(accuracy=0.9, value=value, low=low, high=high))

    assert told(4.71, 3, 6.66) == "4.7x (3 to 6.7)"
    assert told(None, 0, 2.5) == "(under 2.5)"
    assert told(None, 12, np.inf) == "(over 12)"
    assert told(30, 0, np.inf) == "30x (unknown)"
    assert saving(None) == ""


def printed(found: Scaling) -> str:
    text = StringIO()
    found.show(Console(file=text, width=140))
    return text.getvalue()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    asked = ["--model", "scripted", "--task", "countdown", "--problems", "4", "--n", "1,2,4"]
    assert main(["bench", *asked, "--strategy", "best-of-n,beam", "--out", out]) == 0
    capsys.readouterr()
    assert main(["scaling", out, "--json", "--accuracy", "0.5"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["strategy"] for row in told["strategies"]} == {"best-of-n", "beam"}
    assert told["files"] == [f"{out}/scaling.json"]
    assert main(["scaling", str(tmp_path)]) == 2
    assert "give the folder that `reasoner bench --out` wrote" in capsys.readouterr().err
    assert main(["scaling", out, "--accuracy", "90"]) == 2
    assert "'90' is not a share from 0 to 1" in capsys.readouterr().err
