"""A stored run: each row is read and parsed once, whatever is made of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner.benchmarks.reports import html_page
from reasoner.benchmarks.reports.bench import report
from reasoner.benchmarks.store import search_trees, store
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Record, Sample
from reasoner.benchmarks.store.run_folder import Run, RunFolder
from reasoner.benchmarks.store.search_trees import Tree
from reasoner.errors import StoreError
from tests.benchmarks.conftest import Bench
from tests.benchmarks.tables import sql

Parsed = Counter[tuple[str, str, object]]
"""Count how often each row is parsed, by kind, experiment and problem."""
STRATEGIES = ["greedy", "majority", "best-of-n", "weighted", "beam"]


@pytest.fixture
async def run(tmp_path: Path, bench_type: type[Bench]) -> RunFolder:
    """A run of every pooled strategy and a search."""
    bench = bench_type(tmp_path, strategies=STRATEGIES, search_ns=[4], problems=6)
    await bench.run()
    return RunFolder(tmp_path)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Parsed:
    """Counts what is parsed from here on."""
    counts, parse = Parsed(), store.parsed

    def counting(kind: Any, database: Any, spec: Any, problem: object, blob: object) -> Any:
        if kind in (Record, Tree):
            counts[kind.__name__, spec.key, problem] += 1
        return parse(kind, database, spec, problem, blob)

    monkeypatch.setattr(store, "parsed", counting)
    monkeypatch.setattr(search_trees, "parsed", counting)
    return counts


def plotted(run: RunFolder) -> None:
    """Do as `reasoner plot`."""
    report(run)


def reported(run: RunFolder) -> None:
    """Do as `reasoner report`."""
    html_page.write(run, run.path / "report.html", count=3)


@pytest.mark.parametrize("use", [plotted, reported])
def test_a_stored_row_is_parsed_once(
    run: RunFolder, parsed: Parsed, use: Callable[[RunFolder], None]
) -> None:
    use(run)
    records = {(key, problem) for kind, key, problem in parsed if kind == "Record"}
    assert records == set(sql(run.path, "SELECT key, problem FROM records"))
    assert set(parsed.values()) == {1}
    use(run)
    assert set(parsed.values()) == {1}


def test_trees_are_parsed_where_they_are_shown(run: RunFolder, parsed: Parsed) -> None:
    reported(run)
    trees = [(key, problem) for kind, key, problem in parsed if kind == "Tree"]
    beam = run.grid.spec("sums", "beam", 4)
    assert len([key for key, _ in trees if key == beam.key]) == 3
    assert set(run.trees(beam, ["test-0", "no such"])) == {"test-0"}
    assert parsed["Tree", beam.key, "test-0"] == 1


async def test_problems_beyond_the_grid_are_stored_and_not_shown(run: RunFolder) -> None:
    fewer = RunFolder(run.path, run.grid.model_copy(update={"problems": 4}))
    beam = run.grid.spec("sums", "beam", 4)
    assert [r.index for r in fewer.records(beam)] == [0, 1, 2, 3]
    assert len(fewer.stored(beam)) == 6 and len(fewer.pool("sums")) == 4


def test_what_never_ran_has_nothing(run: RunFolder) -> None:
    other = run.grid.spec("sums", "beam", 64)
    assert run.records(other) == [] and run.header(other) is None and not run.trees(other, ["0"])


def test_a_folder_without_a_grid_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="give the folder that `reasoner bench --out` wrote"):
        Run.load(tmp_path)
    assert RunFolder(tmp_path, Grid()).grid == Grid()


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity"])
def test_numbers_that_are_not_finite_are_no_scores(number: str) -> None:
    stored = '{"answer": "1", "correct": true, "tokens": 1, "score": %s, "steps": [0.5, %s]}'
    sample = Sample.model_validate_json(stored % (number, number))
    assert (sample.score, sample.steps, sample.correct) == (None, (), True)
    assert Sample(answer="1", correct=True, tokens=1, score=float(number)).score is None


def test_a_solution_that_was_cut_off_is_wrong() -> None:
    stored = '{"answer": "1", "correct": true, "tokens": 1, "score": 0.5, "complete": false}'
    sample = Sample.model_validate_json(stored)
    assert (sample.answer, sample.score, sample.correct) == (None, None, False)
