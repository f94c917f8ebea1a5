"""One problem of a run: its attempts, its samples, and the tree of a search, kept as it was grown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reasoner.benchmarks.reports.inspection import inspect
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.search_trees import Tree
from reasoner.cli import main
from reasoner.errors import ConfigError, StoreError
from tests.benchmarks.tables import sql

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

Captured = pytest.CaptureFixture[str]


@pytest.fixture
async def run(tmp_path: Path, bench_type: type[Bench]) -> Bench:
    bench = bench_type(
        tmp_path, strategies=["greedy", "best-of-n", "beam"], problems=4, search_ns=[4, 8],
        budgets=[{"tokens": 90}],
    )  # fmt: skip
    await bench.run()
    return bench


async def test_every_search_leaves_its_tree(run: Bench) -> None:
    [small, large, _] = [s for s in run.grid.specs() if s.strategy == "beam"]
    for spec in (small, large):
        tree = RunFolder(run.out).trees(spec, {"test-2"}).get("test-2")
        assert tree is not None
        root, *pieces = tree.pieces
        assert root.parent is None and root.text.count("+") == 5
        assert all(
            piece.parent is not None and piece.parent < i for i, piece in enumerate(pieces, 1)
        )
        told = inspect(RunFolder(run.out), "test-2", strategy="beam", n=spec.n)
        [attempt] = told.attempts
        assert told.tree == tree
        assert sum(p.tokens for p in pieces) == attempt.record.spend.generated_tokens
        chosen = [p for p in tree.pieces if p.chosen]
        assert chosen[-1].ended and chosen[-1].right == attempt.record.correct
        assert chosen[-1].text == f"#{attempt.record.answer}"
        assert {p.right for p in pieces if not p.ended} == {None}
        ended = [p.right for p in pieces if p.ended]
        assert len(ended) == spec.n
        if any(ended):
            assert tree.reference == next(p.text[1:] for p in pieces if p.right)


async def test_attempts_are_listed_by_id_and_by_number(run: Bench) -> None:
    found = inspect(RunFolder(run.out), "2")
    assert found.problem == "test-2" and found == inspect(RunFolder(run.out), "test-2")
    names = [(a.spec.strategy, a.size) for a in found.attempts]
    assert names == [
        ("greedy", "n=1"), ("best-of-n", "n=8"), ("beam", "n=4"), ("beam", "n=8"),
        ("best-of-n", "tokens=90"), ("beam", "tokens=90"),
    ]  # fmt: skip
    samples = inspect(RunFolder(run.out), "2", strategy="best-of-n", n=8).samples
    assert len(samples) == 8 and all(s.text and s.tokens for s in samples)


async def test_it_is_shown_and_told(run: Bench, capsys: Captured) -> None:
    command = ["inspect", str(run.out), "0", "--strategy", "beam", "--n", "4"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "sums, problem test-0" in shown and "├── 0." in shown and ("✓" in shown or "✗" in shown)
    assert main([*command, "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (
        Tree.model_validate(told["tree"])
        == inspect(RunFolder(run.out), "0", strategy="beam", n=4).tree
    )
    assert [a["strategy"] for a in told["attempts"]] == ["beam"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"problem": "77"}, "no problem '77'"),
        ({"problem": "1", "strategy": "mcts"}, "no mcts of this problem, but greedy n=1"),
        ({"problem": "1", "strategy": "beam", "n": 3}, "no beam n=3 of this problem, but beam n=4"),
    ],
)
async def test_what_is_not_there_is_told(run: Bench, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        inspect(RunFolder(run.out), **asked)


async def test_only_the_problem_that_is_asked_for_is_read(run: Bench) -> None:
    sql(run.out, "UPDATE records SET record = 'torn' WHERE problem = 'test-1'")
    assert inspect(RunFolder(run.out), "2").problem == "test-2"
    with pytest.raises(StoreError, match="corrupt"):
        inspect(RunFolder(run.out), "1")


@pytest.mark.parametrize("name", ["02", "9" * 40, "٢", "2 ", ""])
async def test_a_number_is_written_as_numbers_are(run: Bench, name: str) -> None:
    with pytest.raises(ConfigError, match="has no problem"):
        inspect(RunFolder(run.out), name)


def test_a_corrupt_tree_is_told(run: Bench) -> None:
    spec = next(s for s in run.grid.specs() if s.strategy == "beam")
    sql(run.out, "UPDATE trees SET tree = '{\"problem\":' WHERE problem = 'test-0'")
    with pytest.raises(StoreError, match=r"is corrupt: the tree of sums beam n=\d, problem test-0"):
        RunFolder(run.out).trees(spec, {"test-0"}).get("test-0")
    assert RunFolder(run.out).trees(spec, {"test-9"}).get("test-9") is None
