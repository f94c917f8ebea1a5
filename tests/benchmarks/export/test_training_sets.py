"""Training sets: the rows of each format, by hand, and from a run with pools and trees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reasoner.benchmarks.export.solved import GradedSolution, SolvedProblem, solved_problems
from reasoner.benchmarks.export.step_tree import StepTree, split
from reasoner.benchmarks.export.training_sets import ROWS, SECOND_THOUGHTS, save, training_set
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.cli import main
from reasoner.errors import ConfigError, StoreError
from tests.benchmarks.conftest import Bench

PROBLEM = SolvedProblem(
    "p0", "sums", "train", "1+2+3\n", "6", "\n",
    [
        GradedSolution("1+2=3\n3+3=6\n#6", right=True),
        GradedSolution("1+2=4\n4+3=7\n#7", right=False),
        GradedSolution("1+2=3\n3+3=5\n#5", right=False),
        GradedSolution("1+2=3\n3+3=6\n#6", right=True),
        GradedSolution("3+3=6\n#6", right=True),
    ],
)  # fmt: skip


def rows(name: str, most: int = 4) -> list[dict[str, Any]]:
    return list(ROWS[name](PROBLEM, most))


def test_sft_is_right_and_distinct() -> None:
    assert [row["completion"] for row in rows("sft")] == ["1+2=3\n3+3=6\n#6", "3+3=6\n#6"]
    assert len(rows("sft", 1)) == 1
    assert all(row.keys() == {"prompt", "completion"} for row in rows("sft"))


def test_preferences_pair_right_and_wrong() -> None:
    first, second = rows("preferences")
    assert (first["chosen"], first["rejected"]) == ("1+2=3\n3+3=6\n#6", "1+2=4\n4+3=7\n#7")
    assert (second["chosen"], second["rejected"]) == ("3+3=6\n#6", "1+2=3\n3+3=5\n#5")


def test_step_preferences_share_a_prefix() -> None:
    pairs = {(r["prompt"], r["chosen"], r["rejected"]) for r in rows("step-preferences")}
    assert pairs == {
        ("1+2+3\n", "1+2=3\n", "1+2=4\n"),
        ("1+2+3\n", "3+3=6\n", "1+2=4\n"),
        ("1+2+3\n1+2=3\n", "3+3=6\n", "3+3=5\n"),
    }


def test_prm_labels_steps_by_where_they_lead() -> None:
    first, second, third, _ = rows("prm")
    assert first["completions"] == ["1+2=3", "3+3=6", "#6"]
    assert first["labels"] == [True, True, True] and first["values"] == [2 / 3, 1.0, 1.0]
    assert second["labels"] == [False] * 3 and third["labels"] == [True, False, False]
    assert first["k"] == 3


def test_journey_takes_errors_back() -> None:
    [row] = rows("journey", 1)
    assert row["completion"] == f"1+2=4\n{SECOND_THOUGHTS}\n1+2=3\n3+3=6\n#6"
    [row] = rows("journey", 2)
    assert row["completion"].splitlines() == [
        "1+2=4", SECOND_THOUGHTS, "1+2=3", "3+3=5", SECOND_THOUGHTS, "3+3=6", "#6",
    ]  # fmt: skip


def test_verl_has_its_own_fields() -> None:
    [first, _] = training_set([PROBLEM], "sft", 4, "verl")
    assert first["messages"][0] == {"role": "user", "content": "1+2+3\n"}
    assert first["messages"][1]["role"] == "assistant"
    [prompt] = training_set([PROBLEM], "prompts", 4, "verl")
    assert prompt.keys() == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
    assert prompt["reward_model"] == {"style": "rule", "ground_truth": "6"}
    with pytest.raises(ConfigError, match="verl has no format for prm"):
        training_set([PROBLEM], "prm", 4, "verl")


def test_a_separator_at_the_end_ends_the_last_step() -> None:
    assert split("a\nb\n", "\n") == split("a\nb", "\n") == ("a", "b")
    tree = StepTree.of(PROBLEM)
    assert tree.value(()) == 3 / 5 and tree.siblings(("3+3=6",)) == ["1+2=3", "1+2=4"]


def test_no_rows_is_an_error() -> None:
    wrong = SolvedProblem("p", "t", "test", "q", "a", "\n", [GradedSolution("x", right=False)])
    with pytest.raises(StoreError, match="give no row of sft: it needs right ones"):
        training_set([wrong], "sft", 4)


async def test_a_run_with_pools_and_trees(tmp_path: Path, bench_type: type[Bench]) -> None:
    """The tree's solutions are the problem's, and TRL's rows train a policy again."""
    from reasoner.train.policy.solutions import read_pairs

    bench = bench_type(tmp_path, strategies=["best-of-n", "beam"], search_ns=[4], problems=4)
    await bench.run()
    run = RunFolder(tmp_path)
    problems = solved_problems(run)
    assert len(problems) == 4
    beam = run.grid.spec("sums", "beam", 4)
    pool = {r.problem: len(r.samples) for r in run.pool("sums")}
    for problem in problems:
        [tree] = run.trees(beam, [problem.id]).values()
        assert len(problem.solutions) == pool[problem.id] + sum(p.ended for p in tree.pieces)
    path = save(training_set(problems, "sft", 2), tmp_path / "sft.jsonl")
    assert {p.prompt for p in read_pairs(path)} <= {p.prompt for p in problems}
    with pytest.raises(ConfigError, match="no task 'x'"):
        solved_problems(run, "x")


async def test_the_command(
    tmp_path: Path, bench_type: type[Bench], capsys: pytest.CaptureFixture[str]
) -> None:
    await bench_type(tmp_path, strategies=["best-of-n"], problems=4).run()
    out = tmp_path / "x.jsonl"
    argv = ["export", str(tmp_path), "--format", "prm", "--out", str(out)]
    assert main([*argv, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["rows"] == len(out.read_text().splitlines()) and printed["split"] == "test"
    assert main(argv) == 0
    assert f"of split test written to {out}" in capsys.readouterr().out
