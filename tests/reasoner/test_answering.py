"""A verifier that reads answers reads them as the task does, wherever it is used."""

from __future__ import annotations

import json
from pathlib import Path

from reasoner.answering import reading
from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.store.grid import Grid
from reasoner.cli import main
from reasoner.search import BestOfN
from reasoner.solving import solve
from reasoner.types import Problem
from reasoner.verifiers.agreement import Agreement
from reasoner.verifiers.ensemble import Ensemble
from reasoner.verifiers.verdict import Verdict
from tests.verifiers.test_confidence import said, values

LINES = [said("it is 5\nbye"), said("so: 5\nhello"), said("6\nbye")]
"""Two solutions with the same number, and two with the same last line."""


def number(text: str) -> str | None:
    return next((c for c in text if c.isdigit()), None)


def test_the_rule_of_a_task_decides_and_a_rule_of_its_own_stays() -> None:
    assert values(reading(Agreement(), number), *LINES) == [2 / 3, 2 / 3, 1 / 3]
    own = Agreement(extract=lambda text: text[-3:])
    assert values(reading(own, number), *LINES) == [2 / 3, 1 / 3, 2 / 3]
    verdict = Verdict()
    assert reading(verdict, number) is verdict


def test_members_read_alike() -> None:
    both = Ensemble((Agreement(), Agreement(by=Agreement())), weights=(1.0, 0.0))
    assert values(reading(both, number), *LINES) == [2 / 3, 2 / 3, 1 / 3]


async def test_a_search_reads_them_as_it_does_itself() -> None:
    texts = iter([c.text + "\0" for c in LINES])
    backend = Scripted(reply=lambda *_: next(texts))
    result = await solve(Problem("p", "?"), BestOfN(n=3), backend, Agreement(), extract=number)
    assert sorted(s.score or 0 for s in result.candidates) == [1 / 3, 2 / 3, 2 / 3]


def test_a_benchmark_reads_them_as_its_task_does() -> None:
    grid = Grid(tasks=("countdown",), strategies=("best-of-n",), problems=1, verifier="agreement")
    solvers = Solvers(grid)
    [solver] = solvers._solvers.values()
    assert isinstance(solver.verifier, Agreement)
    assert solver.verifier.extract == solvers.tasks["countdown"].answer


def test_reranking_reads_them_as_they_were_graded(tmp_path: Path) -> None:
    texts = ["It is #### 5\nbye", "So #### 5\nhello", "#### 6\nbye"]
    pool = tmp_path / "pool.jsonl"
    pool.write_text(
        json.dumps({"id": "1", "question": "?", "answer": "5", "completions": texts}) + "\n"
    )
    taken, chosen, out = tmp_path / "taken", tmp_path / "chosen", tmp_path / "out.jsonl"
    assert main(["import-pool", str(pool), "--task", "gsm8k", "--out", str(taken)]) == 0
    assert main(["rerank", str(taken), "--verifier", "agreement", "--out", str(chosen)]) == 0
    assert main(["export-pool", str(chosen), "--out", str(out)]) == 0
    [row] = map(json.loads, out.read_text().splitlines())
    assert [c["score"] for c in row["completions"]] == [2 / 3, 2 / 3, 1 / 3]
