"""The README's examples run as they stand; pages list what is registered, and numbers of committed results."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pytest
from sklearn.metrics import roc_auc_score

from reasoner.benchmarks.store.records import Sample
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.registry import backends, strategies, tasks, verifiers
from tests import ROOT, equal_cost, results
from tests.needs import need

README = (ROOT / "README.md").read_text()
COMMANDS = README + (ROOT / "docs" / "cli.md").read_text()
COMPONENTS = (ROOT / "docs" / "components.md").read_text()
NUMBERS = (ROOT / "docs" / "results.md").read_text()
FIRST, EXAMPLE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[:2]


@pytest.mark.parametrize("example", [FIRST, EXAMPLE])
def test_an_example_is_short(example: str) -> None:
    assert len([line for line in example.splitlines() if line.strip()]) <= 12


def test_the_first_example_needs_no_engine(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(FIRST, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == "12+30=42\n42+41=83\n#83\n83 budget 500\n"


def test_ci_runs_every_command() -> None:
    listed = re.findall(r"```sh\n(.*?)```", COMMANDS, re.DOTALL)
    commands = [line.partition("  #")[0].strip() for block in listed for line in block.splitlines()]
    assert len(commands) >= 7
    ran = (ROOT / ".ci" / "run").read_text()
    for command in filter(None, commands):
        assert re.sub(r" runs/(\w+)", r' "$out/\1"', command) in ran


def test_the_tables_of_results_are_those_of_the_results() -> None:
    for line in (
        *results.table_of_points(),
        *equal_cost.table(),
        *results.table_of_final_points(),
        *results.table_of_word_problems(),
        *equal_cost.table_of_all(),
        *equal_cost.table_of_words(),
    ):
        assert f"\n{line}\n" in NUMBERS


def test_the_sentences_of_results_follow_from_the_results() -> None:
    flowing = " ".join(NUMBERS.split())
    for sentence in (
        *results.sentences(),
        *results.of_training(),
        *results.of_word_problems(),
        *results.of_the_value_head(),
        *results.of_training_words(),
        *equal_cost.sentences(),
        *equal_cost.sentences_on_words(),
        results.absent(),
    ):
        assert sentence in flowing


def test_the_readme_says_what_was_measured() -> None:
    flowing = " ".join(README.split())
    for sentence in results.of_readme():
        assert sentence in flowing


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("value-head", "(AUC {all:.3f}) and those of one problem hardly ({within:.3f})"),
        (
            "gsm_symbolic",
            "an AUC of {all:.3f} over all solutions and {within:.3f} within a problem: {wrong:.0%} of"
            " the wrong solutions state an equation that does not hold, and {right:.0%} of the right"
            " ones",
        ),
    ],
)
def test_a_verifier_ranks_as_the_page_says(folder: str, sentence: str, tmp_path: Path) -> None:
    with tarfile.open(results.RESULTS / "real" / folder / "records.tar.xz") as records:
        records.extractall(tmp_path, filter="data")
    run = RunFolder.load(tmp_path)
    [task] = run.grid.tasks
    pools = [[s for s in r.samples if s.score is not None] for r in run.pool(task)]
    every = [sample for pool in pools for sample in pool]
    values = {
        "all": auc(every),
        "within": fmean(value for pool in pools if (value := auc(pool)) is not None),
        "wrong": fmean((s.score or 0) < 0.5 for s in every if not s.correct),
        "right": fmean((s.score or 0) < 0.5 for s in every if s.correct),
    }
    assert sentence.format(**values) in " ".join(NUMBERS.split())


def auc(samples: Sequence[Sample]) -> float | None:
    """Return how well scores rank right over wrong; None if all are one or the other."""
    right = [s.correct for s in samples]
    return float(roc_auc_score(right, [s.score for s in samples])) if len({*right}) > 1 else None


def test_what_the_words_say_of_equal_cost_is_so() -> None:
    """Ahead at equal tokens; at equal FLOPs level, but for a little on one task."""
    every = [(task, n) for task in results.TASKS for n in (4, 16)]
    assert {s for t, n in every for s in results.sides(t, results.TOKENS, n).values()} == {"ahead"}
    for n in (4, 16):
        assert set(results.sides("countdown", results.FLOPS, n).values()) == {"level"}
    small = results.sides("dagmath", results.FLOPS, 4)
    assert small == {"beam": "ahead", "rebase": "ahead", "particle": "level"}
    for name in small:
        assert 0 <= results.row("dagmath", results.FLOPS, name, 16)["gain"] < 0.01
    rows = results.load("comparison/comparison")
    assert not any("alone" in row["verdict"] for row in rows)  # Holm takes nothing back


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_example_runs(tmp_path: Path) -> None:
    need("vllm")
    script = tmp_path / "example.py"
    script.write_text(EXAMPLE)
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False,
        cwd=tmp_path, env=os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert re.search(r"\d+[-+*/]\d+=\d+:", ran.stdout)
    assert " done " in ran.stdout or " budget " in ran.stdout


@pytest.mark.parametrize(
    ("row", "registry"),
    [
        ("strategies", strategies),
        ("verifiers", verifiers),
        ("backends", backends),
        ("tasks", tasks),
    ],
)
def test_every_listed_name_is_registered(row: str, registry: object) -> None:
    [listed] = re.findall(rf"^\| {row} \| (.*) \|$", COMPONENTS, re.MULTILINE)
    assert set(re.findall(r"`([a-z0-9.-]+)`", listed)) == set(registry.names())  # type: ignore[attr-defined]
