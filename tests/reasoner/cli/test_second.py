"""A second model from the command line, and sizes in brackets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.cli import main
from tests.benchmarks.tables import finished

SCRIPTED = ["--model", "scripted"]
SECOND = ["--second", "scripted", "--strategy", "draft"]
Captured = pytest.CaptureFixture[str]


def test_solve_asks_the_second_model(capsys: Captured) -> None:
    assert main(["solve", "12+30+41", *SCRIPTED, *SECOND, "--json"]) == 0
    roles = json.loads(capsys.readouterr().out)["by_role"]
    assert roles["second"]["completion_tokens"] > 0


def test_the_line_about_cost_counts_both_models(capsys: Captured) -> None:
    """Drafts of the same scripted model are all accepted: the first one writes nothing."""
    accepted = [*SECOND[:-1], "draft(threshold=0)"]
    assert main(["solve", "12+30", *SCRIPTED, *accepted, "--verifier", "verdict"]) == 0
    assert " 0 tokens generated" not in capsys.readouterr().out


def test_bench_records_both_models_and_tells_runs_apart(tmp_path: Path) -> None:
    out = tmp_path / "run"
    line = ["bench", *SCRIPTED, "--task", "countdown", "--problems", "2", "--out", str(out)]
    assert main([*line, "--second", "scripted", "--strategy", "draft,majority", "--n", "1"]) == 0
    specs = list(RunFolder(out).grid.specs())
    by_name = {spec.strategy: spec for spec in specs}
    assert by_name["draft"].second == "scripted" and by_name["majority"].second is None
    assert "second: scripted" in (out / "spec.yaml").read_text()
    assert finished(out) == 4
    alone = by_name["draft"].model_copy(update={"second": None, "second_weights": ""})
    assert alone.key != by_name["draft"].key


def test_a_spec_without_a_second_model_has_the_key_of_old_records() -> None:
    spec = Spec(task="t", backend="scripted", strategy="beam", n=4)
    assert spec.key == "d1eb04c54d08"


def test_a_size_in_brackets_is_the_size_of_the_run(tmp_path: Path) -> None:
    grid = Grid(tasks=("countdown",), strategies=("esc(n=77)", "esc", "majority"), ns=(1, 8))
    assert grid.sizes("esc(n=77)") == (77,) and grid.sizes("esc") == (4, 8, 16)
    budgeted = grid.model_copy(update={"budgets": ({"tokens": 9.0},)})
    sizes = {(s.strategy, s.n) for s in budgeted.specs() if s.budget}
    assert sizes == {("esc(n=77)", 77), ("esc", 8), ("majority", 8)}
    line = ["bench", *SCRIPTED, "--task", "countdown", "--problems", "1", "--n", "1,2"]
    assert main([*line, "--strategy", "esc(n=3)", "--out", str(tmp_path)]) == 0
    assert [spec.n for spec in RunFolder(tmp_path).grid.specs()] == [3]


def test_a_size_in_brackets_agrees_with_the_same_one_beside_them(capsys: Captured) -> None:
    line = ["solve", "1+2", *SCRIPTED, "--json", "--strategy"]
    assert main([*line, "majority(n=3)", "--n", "3"]) == 0
    assert len(json.loads(capsys.readouterr().out)["candidates"]) == 3
    assert main([*line, "majority(n=5)"]) == 0
    assert len(json.loads(capsys.readouterr().out)["candidates"]) == 5
