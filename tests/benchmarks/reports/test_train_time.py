"""Accuracy against training compute: checkpoints of which everything is known."""

from __future__ import annotations

import asyncio
import json
import shutil
from io import StringIO
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from reasoner.backends.scripted import Scripted, add_up
from reasoner.benchmarks.analysis.train_time import checkpoints, rows, search_saved, train_curves
from reasoner.benchmarks.reports.train_time import train_time_report
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.cli import main
from reasoner.errors import ConfigError
from reasoner.types import Prompt
from tests.benchmarks.conftest import Bench

FLOPS = [0.0, 1e12, 2e12, 4e12, 8e12]
SKILLS = [0.1, 0.2, 0.4, 0.6, 0.8]
"""The share of solutions that each checkpoint writes in earnest."""


def skilled(skill: float) -> Scripted:
    """A model that adds up with a chance of `skill`, and else writes nonsense."""

    def reply(prompt: Prompt, rng: Random) -> str:
        return add_up(prompt, rng) if rng.random() < skill else f"1+1={rng.randint(3, 9)}\n#9"

    return Scripted(reply=reply)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same benchmark on five checkpoints; tests read it."""
    root = tmp_path_factory.mktemp("train-time")
    for i, skill in enumerate(SKILLS):
        bench = Bench(
            root / f"round-{i}", skilled(skill),
            strategies=["majority", "best-of-n"], ns=[1, 4, 16], problems=40,
            trained=FLOPS[i] if i else None,
        )  # fmt: skip
        asyncio.run(bench.run())
    return [root / f"round-{i}" for i in range(len(SKILLS))]


def test_checkpoints_stand_in_order_of_training(runs: list[Path]) -> None:
    points = checkpoints([RunFolder(runs[i]) for i in (3, 0, 4, 1, 2)])
    assert [p.train_flops for p in points] == FLOPS
    table = list(rows(points))
    assert [row.problems for row in table] == [40] * 5
    singles = [row.accuracy["pass@k"][1].value for row in table]
    assert singles == sorted(singles) and singles[0] < 0.3 < singles[-1]
    for row in table:
        assert row.accuracy["pass@k"][16].value >= row.accuracy["best-of-n"][16].value
        assert row.auc and row.auc.low <= row.auc.value <= row.auc.high
        assert 1 < row.distinct_answers.value < 16


def test_curves_saved_search_and_forecasts(runs: list[Path]) -> None:
    points = checkpoints([RunFolder(run) for run in runs])
    curves = {(c.strategy, c.n): c for c in train_curves(points)}
    assert set(curves) == {(s, n) for s in ("majority", "best-of-n", "pass@k") for n in (1, 4, 16)}
    single = curves["pass@k", 1]
    assert single.train_flops == tuple(FLOPS[1:])
    assert single.line and single.line.doubling.low > 0
    assert single.sigmoid and single.sigmoid.r2 > 0.9
    [forecast] = single.forecasts
    assert forecast.train_flops == 8e12
    assert forecast.predicted.low <= forecast.measured.value <= forecast.predicted.high + 0.1

    saved = [s for s in search_saved(points) if s.strategy == "best-of-n"]
    assert [(s.before, s.after) for s in saved] == [*pairwise(FLOPS), (0.0, 8e12)]
    assert saved[1].multiplier.value and saved[1].multiplier.value > 1


def test_the_report_writes_a_table_a_file_and_figures(runs: list[Path], tmp_path: Path) -> None:
    report = train_time_report([RunFolder(run) for run in runs], tmp_path)
    assert sorted(f.name for f in report.files) == ["train.json", "train.png", "train.svg"]
    document = json.loads((tmp_path / "train.json").read_text())
    assert len(document["checkpoints"]) == 5 and len(document["curves"]) == 9
    assert document["environment"]["sessions"]
    svg = (tmp_path / "train.svg").read_text()
    assert "training FLOPs" in svg and "before training" in svg and "N = 16" in svg
    printed = StringIO()
    report.show(Console(file=printed, width=160))
    assert "pass@16" in printed.getvalue() and "points a doubling of training" in printed.getvalue()


def test_the_commands_take_several_folders(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["plot", "--format", "svg"], ["scaling"]):
        out = tmp_path / command[0]
        assert main([*command, *map(str, runs[:3]), "--out", str(out), "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert [c["train_flops"] for c in document["checkpoints"]] == FLOPS[:3]
        assert (out / "train.json").exists() and (out / "train.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plot", "{0}", "{1}", "--against", "tokens"], "--against is for one DIR"),
        (["scaling", "{0}", "{1}", "--n", "4"], "--n is for one DIR"),
        (["scaling", "{0}", "{1}", "--train-flops", "1e12"], "1 training computes for 2 runs"),
        (["scaling", "{1}", "{2}", "--train-flops", "1e12,1e12"], "the same training compute"),
        (["scaling", "{0}", "{1}", "--train-flops", "0,-1"], "no list of FLOPs"),
        (["scaling", "{0}", "{1}", "--train-flops", "0,nan"], "no list of FLOPs"),
        (["scaling", "{0}", "{1}", "--train-flops", "1e-300,1e300"], "0, or from 1 to 1e+40"),
    ],
)
def test_wrong_commands_are_one_line(
    runs: list[Path], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _code([a.format(*runs) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1


def _code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as e:
        return int(e.code or 0)


def test_runs_of_other_problems_are_refused(runs: list[Path], tmp_path: Path) -> None:
    asyncio.run(Bench(tmp_path / "small", ns=[1, 4, 16], problems=20, trained=3e12).run())
    with pytest.raises(ConfigError, match="differ in problems, 40 and 20"):
        checkpoints([RunFolder(runs[0]), RunFolder(tmp_path / "small")])


def test_unknown_training_is_asked_for(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], tmp_path / "copy")
    both = [RunFolder(runs[0]), RunFolder(tmp_path / "copy")]
    with pytest.raises(ConfigError, match="--train-flops"):
        checkpoints(both)
    assert [p.train_flops for p in checkpoints(both, [5.0, 1.0])] == [1.0, 5.0]
