"""Truncated solutions are wrong in records and decide nothing in pools: run, imported and reranked."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from reasoner.backends.scripted import END, Scripted, add_up
from reasoner.benchmarks.analysis.curves import points, sample_pool
from reasoner.benchmarks.store.grid import BESTS
from reasoner.benchmarks.store.pools import best_of
from reasoner.benchmarks.store.records import Sample
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.store import read
from reasoner.cli import main
from reasoner.types import Prompt
from tests.benchmarks.tables import METRICS

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

Captured = pytest.CaptureFixture[str]


def rambling(prompt: Prompt, rng: Random) -> str:
    """State the right sum and go on for ever, or end with a wrong one."""
    right = sum(map(int, prompt.problem.prompt.split("+")))
    return f"#{right}" + " " * 300 if rng.random() < 0.6 else f"#0{END}"


@pytest.mark.parametrize("strategy", ["majority", "best-of-n", "esc", "beam", "greedy"])
async def test_a_right_answer_in_what_was_cut_off_is_wrong(
    tmp_path: Path, bench_type: type[Bench], strategy: str
) -> None:
    bench = bench_type(tmp_path, Scripted(reply=rambling), strategies=[strategy], search_ns=[4])
    await bench.run()
    found = points(RunFolder(tmp_path, bench.grid))
    assert found and all(p.accuracy == 0 for p in found)
    records = [r for spec in bench.grid.specs() for r in read(tmp_path, spec)]
    assert not any(r.correct for r in records)
    assert {r.answer for r in records} <= {None, "0"}


def test_a_sample_that_was_cut_off_has_no_answer_and_no_score() -> None:
    told: dict[str, Any] = {"answer": "1", "correct": True, "score": 0.9, "tokens": 5}
    whole, cut_off = Sample(**told), Sample(**told, complete=False)
    assert (whole.answer, whole.correct, whole.score) == ("1", True, 0.9)
    assert (cut_off.answer, cut_off.correct, cut_off.score) == (None, False, None)
    kept = json.dumps({**told, "complete": False})  # as earlier versions kept it
    assert Sample.model_validate_json(kept) == cut_off
    low = Sample(answer="2", correct=False, score=0.1, tokens=5)
    assert best_of([cut_off, low]) is low
    assert best_of([cut_off]) is cut_off


def rows() -> list[dict[str, Any]]:
    """Sums of which most solutions were cut off after the right answer, and score highest."""
    cut_off = {"text": "1+2=3\nA: 3 and so on", "score": 0.9, "finish_reason": "length"}
    ended = {"text": "1+2=4\nA: 4", "score": 0.2, "finish_reason": "stop"}
    plain = {"text": "1+2=3\nA: 3", "score": 0.1}
    return [
        {"id": "a", "question": "1+2?", "answer": "3", "completions": [cut_off, cut_off, ended]},
        {"id": "b", "question": "1+2?", "answer": "3", "completions": [cut_off, cut_off, plain]},
        {"id": "c", "question": "1+2?", "answer": "3", "completions": [cut_off] * 3},
    ]


def run(command: list[str], capsys: Captured) -> Any:
    assert main([*command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def accuracies(found: Any) -> dict[str, float]:
    """Each metric with all samples."""
    return {name: line["3"][0] for name, line in found["metrics"].items()}


def test_imported_pools_tell_what_was_cut_off(tmp_path: Path, capsys: Captured) -> None:
    file, again = tmp_path / "pool.jsonl", tmp_path / "again.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    task = ["--task", "gsm8k"]
    found = run(["import-pool", str(file), *task, "--out", str(tmp_path / "run")], capsys)
    third = pytest.approx(1 / 3)
    assert accuracies(found) == dict.fromkeys(found["metrics"], third)
    assert set(found["metrics"]) == METRICS
    assert main(["export-pool", str(tmp_path / "run"), "--out", str(again)]) == 0
    assert again.read_text().count('"finish_reason":"length"') == 7
    capsys.readouterr()
    back = run(["import-pool", str(again), *task, "--out", str(tmp_path / "back")], capsys)
    assert back["metrics"] == found["metrics"]


def test_a_reranked_pool_still_tells_what_was_cut_off(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "pool.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    run(["import-pool", str(file), "--task", "gsm8k", "--out", str(tmp_path / "run")], capsys)
    out = ["--out", str(tmp_path / "reranked")]
    verifier = ["--verifier", "regex(pattern='A: 3')"]
    found = run(["rerank", str(tmp_path / "run"), *verifier, *out], capsys)
    largest = {p["strategy"]: p["accuracy"] for p in found["summary"] if p["n"] == 3}
    assert set(largest) == {"majority", "best-of-n", "weighted", BESTS, "pass@k"}
    assert largest == dict.fromkeys(largest, pytest.approx(1 / 3))


async def test_pools_have_no_score_for_what_was_cut_off(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    def half(prompt: Prompt, rng: Random) -> str:
        return add_up(prompt, rng) if rng.random() < 0.5 else "0" * 300

    bench = bench_type(tmp_path, Scripted(reply=half), strategies=["best-of-n"], ns=[8])
    await bench.run()
    spec = bench.grid.pool("sums")
    assert spec
    records = read(tmp_path, spec)
    pool = sample_pool(records)
    complete = [[sample.complete for sample in record.samples] for record in records]
    assert 0 < sum(map(sum, complete)) < 8 * len(records)
    assert ((pool.scores == pool.scores) == complete).all()
