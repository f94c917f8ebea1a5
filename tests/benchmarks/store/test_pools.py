"""Pools of solutions made elsewhere: read, graded, decided, written and ranked anew."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import pytest

from reasoner.benchmarks.store.grid import BESTS
from reasoner.benchmarks.store.pool_file import Recorded, read_pool, write_pool
from reasoner.benchmarks.store.pool_formats import read_recorded
from reasoner.benchmarks.store.pools import export_pool, sizes
from reasoner.benchmarks.store.run_folder import Run, RunFolder
from reasoner.benchmarks.tasks.countdown import draw
from reasoner.cli import main
from reasoner.errors import ConfigError, StoreError
from tests import ROOT
from tests.benchmarks.tables import METRICS, sql
from tests.needs import need

QWEN = ROOT.parent / "shared" / "data" / "qwen2.5_math_100x8.jsonl"
Captured = pytest.CaptureFixture[str]
Row = dict[str, Any]


def puzzles(count: int = 12, samples: int = 5) -> list[Row]:
    """Countdown problems, each with solutions of which some are right, and scores that know little."""
    rng, rows = Random(7), list[Row]()
    for i in range(count):
        puzzle, other = draw(rng, 5), draw(rng, 5)
        written = [
            puzzle.solution if rng.random() < 0.4 else other.solution for _ in range(samples)
        ]
        completions = [
            {"text": t, "score": rng.random(), "tokens": 60 + j} for j, t in enumerate(written)
        ]
        question = puzzle.prompt.strip() + "\n"
        rows.append(
            {"id": i, "question": question, "answer": puzzle.target, "completions": completions}
        )
    return rows


def written(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    return written(tmp_path / "pool.jsonl", puzzles())


def told(command: Sequence[str], capsys: Captured) -> Any:
    assert main([*command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def right(row: Row) -> list[bool]:
    """Return which completions are right: in `puzzles`, those that begin as the first right one does."""
    numbers = sorted(row["question"].removeprefix("cd:").partition("=")[0].split(","))
    return [_uses(c["text"], numbers) for c in row["completions"]]


def _uses(solution: str, numbers: Sequence[str]) -> bool:
    first, *_ = solution.splitlines()
    move, _, left = first.partition("=")
    rest = left.partition(":")[2].partition("?")[0].split(",")[:-1]
    return sorted([*move.split("*"), *rest]) == numbers


def test_every_metric_is_the_mean_over_all_choices(
    pool: Path, tmp_path: Path, capsys: Captured
) -> None:
    command = ["import-pool", str(pool), "--task", "countdown", "--out", str(tmp_path / "run")]
    found, rows = told(command, capsys), puzzles()
    assert (found["problems"], found["samples"]) == (12, 60)
    assert found["accuracy"] == pytest.approx(fmean(fmean(right(row)) for row in rows))
    for k in range(1, 6):
        each = [[*combinations(zip(right(r), r["completions"], strict=True), k)] for r in rows]
        covered = fmean(fmean(any(c for c, _ in some) for some in choices) for choices in each)
        best = fmean(
            fmean(max(some, key=lambda s: s[1]["score"])[0] for some in choices) for choices in each
        )
        for metric, value in (("pass@k", covered), ("best-of-n@k", best)):
            mean, low, high = found["metrics"][metric][str(k)]
            assert mean == pytest.approx(value)
            assert low <= mean <= high and high - low < 0.7
    assert set(found["metrics"]) == METRICS


@pytest.mark.skipif(
    not QWEN.exists(), reason=f"needs {QWEN.name}, which is not part of the project"
)
def test_recorded_solutions_of_qwen(tmp_path: Path, capsys: Captured) -> None:
    found = told(["import-pool", str(QWEN), "--task", "math", "--out", str(tmp_path)], capsys)
    assert (found["problems"], found["samples"]) == (100, 800)
    frame = Run.load(tmp_path).frame()
    pools = [
        [*zip(part.correct, part.answer, strict=True)]
        for _, part in frame.groupby("problem", sort=False)
    ]
    for k in range(1, 9):
        each = [[*combinations(pool, k)] for pool in pools]
        covered = fmean(fmean(any(c for c, _ in some) for some in choices) for choices in each)
        voted = fmean(fmean(map(vote, choices)) for choices in each)
        assert found["metrics"]["pass@k"][str(k)][0] == pytest.approx(covered)
        assert found["metrics"]["majority@k"][str(k)][0] == pytest.approx(voted, abs=0.003)
    graded = [s for line in QWEN.read_text().splitlines() for s in json.loads(line)["score"]]
    assert fmean(a == b for a, b in zip(frame.correct, graded, strict=True)) > 0.98


def vote(some: Sequence[tuple[bool, str | None]]) -> float:
    """Return the share of the majority that is right; tied answers share it."""
    counts = Counter(answer for _, answer in some if isinstance(answer, str))
    tied = [a for a, n in counts.items() if n == max(counts.values())]
    rights = {a: fmean(c for c, b in some if b == a) for a in tied}
    return fmean(rights.values()) if rights else 0.0


def test_an_imported_pool_is_a_run(pool: Path, tmp_path: Path, capsys: Captured) -> None:
    out = str(tmp_path / "run")
    found = told(["import-pool", str(pool), "--task", "countdown", "--out", out], capsys)
    drawn = told(["plot", out], capsys)
    assert (tmp_path / "run" / "curve.png").exists()
    points = {(p["strategy"], p["n"]): p["accuracy"] for p in drawn["summary"]}
    for strategy in ("majority", "best-of-n", "weighted", BESTS):
        for k, (mean, *_) in found["metrics"][f"{strategy}@k"].items():
            assert points[strategy, int(k)] == mean
    compared = told(["compare", out, "--n", "2,4"], capsys)
    assert {row["strategy"] for row in compared["rows"]} == {
        "majority",
        "best-of-n",
        "weighted",
        BESTS,
    }


def test_graded_once(pool: Path, tmp_path: Path, capsys: Captured) -> None:
    command = ["import-pool", str(pool), "--task", "countdown", "--out", str(tmp_path / "run")]
    first = told(command, capsys)
    graded = sql(tmp_path / "run", "SELECT rowid, record FROM records")
    assert told(command, capsys) == first
    assert sql(tmp_path / "run", "SELECT rowid, record FROM records") == graded
    written(pool, [*puzzles()[:-1], *puzzles(13)[-1:]])
    assert main(command) == 2
    assert "holds another pool" in capsys.readouterr().err


def test_exported_and_imported_it_says_the_same(
    pool: Path, tmp_path: Path, capsys: Captured
) -> None:
    first = told(
        ["import-pool", str(pool), "--task", "countdown", "--out", str(tmp_path / "a")], capsys
    )
    again = tmp_path / "again.jsonl"
    assert told(["export-pool", str(tmp_path / "a"), "--out", str(again)], capsys)["samples"] == 60
    assert read_pool(again) == read_pool(pool)
    second = told(
        ["import-pool", str(again), "--task", "countdown", "--out", str(tmp_path / "b")], capsys
    )
    assert second["metrics"] == first["metrics"]


def test_a_benchmark_is_exported_too(tmp_path: Path, capsys: Captured) -> None:
    out, file = tmp_path / "run", tmp_path / "pool.jsonl"
    bench = ["bench", "--model", "scripted", "--task", "countdown,dagmath", "--n", "1,4"]
    found = told([*bench, "--problems", "3", "--strategy", "best-of-n", "--out", str(out)], capsys)
    assert main(["export-pool", str(out), "--out", str(file)]) == 2
    assert "choose one with --task: countdown, dagmath" in capsys.readouterr().err
    assert told(["export-pool", str(out), "--task", "dagmath", "--out", str(file)], capsys)
    exported = read_pool(file)
    assert [len(problem.completions) for problem in exported] == [4, 4, 4]
    assert all(p.question.startswith("dg:") and p.completions[0].tokens for p in exported)
    again = ["import-pool", str(file), "--task", "dagmath", "--out", str(tmp_path / "again")]
    accuracy = [
        p["accuracy"]
        for p in found["summary"]
        if (p["task"], p["strategy"]) == ("dagmath", "pass@k")
    ]
    assert [
        v[0] for k, v in told(again, capsys)["metrics"]["pass@k"].items() if k in "14"
    ] == accuracy


def test_a_rule_that_knows_ranks_as_well_as_can_be(
    pool: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "run"
    told(["import-pool", str(pool), "--task", "countdown", "--out", str(out)], capsys)
    found = told(["rerank", str(out), "--verifier", "arithmetic", "--model", "scripted"], capsys)
    points = {(p["strategy"], p["n"]): p for p in found["summary"]}
    assert (tmp_path / "run-arithmetic" / "curve.svg").exists()
    for k in range(1, 6):
        best, covered = points["best-of-n", k], points["pass@k", k]
        assert best["accuracy"] == pytest.approx(covered["accuracy"])
        assert best["verifier"] == "arithmetic"
        assert best["generated_tokens"] == pytest.approx(k * 62)


@pytest.mark.parametrize(
    ("verifier", "says"),
    [("oracle", "reads references"), ("verdict", "reads verdict tokens"), ("entropy", "reads log-probabilities"), ("no-such", "no verifier named")],
)  # fmt: skip
def test_what_cannot_rerank_is_told(
    pool: Path, tmp_path: Path, capsys: Captured, verifier: str, says: str
) -> None:
    out = str(tmp_path / "run")
    told(["import-pool", str(pool), "--task", "countdown", "--out", out], capsys)
    assert main(["rerank", out, "--verifier", verifier, "--model", "scripted"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and says in error


def test_frames(pool: Path, tmp_path: Path, capsys: Captured) -> None:
    need("pandas")
    out, file = tmp_path / "run", tmp_path / "samples.parquet"
    told(["import-pool", str(pool), "--task", "countdown", "--out", str(out)], capsys)
    run, rows = Run.load(out), puzzles()
    run.frame().to_parquet(file)
    import pandas as pd

    frame = pd.read_parquet(file)
    assert list(frame)[:7] == ["task", "problem", "sample", "answer", "correct", "score", "tokens"]
    assert frame.correct.tolist() == [c for row in rows for c in right(row)]
    assert frame.score.tolist() == [c["score"] for row in rows for c in row["completions"]]
    attempts = run.frame("attempts")
    assert attempts.problem.tolist() == [str(row["id"]) for row in rows]
    assert attempts.generated_tokens.tolist() == [310] * 12


# -- the file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        {"id": "7", "question": "q", "answer": "18", "completions": [{"text": "A: 18"}]},
        {"idx": 7, "problem": "q", "gt": 18, "code": ["A: 18"]},
        {"unique_id": 7.0, "prompt": "q", "answer": 18.0, "responses": "A: 18", "score": [1, 2]},
        {"my": "7", "q": "q", "a": "18", "c": [{"text": "A: 18", "finish": "stop"}]},
    ],
)
def test_what_datasets_call_things(row: Row, tmp_path: Path) -> None:
    named = {"id": "my", "question": "q", "answer": "a", "completions": "c"} if "my" in row else {}
    [problem] = read_pool(written(tmp_path / "p.jsonl", [row]), named)
    expected = {"id": "7", "question": "q", "answer": "18", "completions": [{"text": "A: 18"}]}
    assert problem == Recorded.model_validate(expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no problems"),
        ("{", ":1 is no JSON"),
        ("[1]", ":1 is no JSON object"),
        ('{"id": 1, "question": "q", "answer": "1"}', "completions: field required"),
        ('{"id": 1, "question": "q", "answer": "1", "completions": [{"score": 1}]}', "text: field required"),
        ('{"id": 1, "question": "q", "answer": "1", "completions": []}', "holds no completions"),
        ('{"id": 1, "question": "q", "answer": "1", "completions": "x"}\n' * 2, "problem '1' twice"),
        ('{"id": 1, "answer": "1", "completions": "x", "query": "q"}', "name fields with --question-field"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(text: str, says: str, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(text)
    assert (
        main(["import-pool", str(file), "--task", "countdown", "--out", str(tmp_path / "o")]) == 2
    )
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and says in error
    assert not (tmp_path / "o").exists()


def test_no_file_no_run(tmp_path: Path, capsys: Captured) -> None:
    absent = str(tmp_path / "absent")
    for command in (
        ["import-pool", absent, "--task", "countdown"],
        ["export-pool", absent, "--out", str(tmp_path / "x")],
        ["rerank", absent, "--verifier", "arithmetic", "--model", "scripted"],
    ):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "cannot read" in error


def test_sizes() -> None:
    assert sizes(1) == [1]
    assert sizes(5) == [1, 2, 3, 4, 5]
    assert sizes(40) == [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 40]


def test_scores_of_steps_count_where_there_is_no_other(tmp_path: Path, capsys: Captured) -> None:
    need("pandas")
    rows = puzzles(2)
    for row in rows:
        for completion in row["completions"]:
            completion["step_scores"] = [0.2, 0.5, completion.pop("score")]
    file = written(tmp_path / "p.jsonl", rows)
    told_last = [c["step_scores"][-1] for row in rows for c in row["completions"]]
    for aggregate, expected in {
        "last": told_last, "min": [min(0.2, score) for score in told_last],
    }.items():  # fmt: skip
        out = tmp_path / aggregate
        command = ["import-pool", str(file), "--task", "countdown", "--aggregate", aggregate]
        told([*command, "--out", str(out)], capsys)
        assert Run.load(out).frame().score.tolist() == expected


def test_problems_without_solutions_are_wrong(tmp_path: Path, capsys: Captured) -> None:
    rows = puzzles(4)
    before = told(
        ["import-pool", str(written(tmp_path / "a.jsonl", rows)), "--task", "countdown", "--out", str(tmp_path / "a")],
        capsys,
    )  # fmt: skip
    more = [*rows, {**rows[0], "id": "none", "completions": []}]
    after = told(
        ["import-pool", str(written(tmp_path / "b.jsonl", more)), "--task", "countdown", "--out", str(tmp_path / "b")],
        capsys,
    )  # fmt: skip
    assert after["problems"] == 5
    for k, (value, *_) in before["metrics"]["pass@k"].items():
        assert after["metrics"]["pass@k"][k][0] == pytest.approx(value * 4 / 5)


def test_records_without_texts_are_told(tmp_path: Path) -> None:
    bench = ["bench", "--model", "scripted", "--task", "countdown", "--n", "2", "--problems", "2"]
    assert main([*bench, "--strategy", "majority", "--out", str(tmp_path)]) == 0
    for problem, row in sql(tmp_path, "SELECT problem, record FROM records"):
        old = json.loads(row)
        old["samples"] = [
            {k: s[k] for k in ("answer", "correct", "score", "tokens")} for s in old["samples"]
        ]
        changed = "UPDATE records SET record = ? WHERE problem = ?"
        sql(tmp_path, changed, json.dumps(old), problem)
    with pytest.raises(StoreError, match="an older version wrote it"):
        list(export_pool(RunFolder(tmp_path)))


def test_nothing_is_written_where_nothing_can_be(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        write_pool([], written(tmp_path / "file", []) / "pool.jsonl")
    with pytest.raises(ConfigError, match="holds no problems"):
        read_recorded(written(tmp_path / "e.jsonl", []), "auto")
