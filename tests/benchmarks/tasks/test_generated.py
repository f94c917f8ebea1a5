"""Splits share no problem, and published test problems stay where they are."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest

from reasoner.base import Example
from reasoner.benchmarks.tasks import countdown, dagmath
from reasoner.benchmarks.tasks import generated as splits
from reasoner.benchmarks.tasks.countdown import Countdown
from reasoner.benchmarks.tasks.dagmath import DagMath
from reasoner.cli import main
from reasoner.cli.experiments import EvalOptions, FitOptions
from reasoner.train.gpt.options import GptOptions

TIERS = ("easy", "default", "hard")
TASKS = [kind(tier) for kind in (Countdown, DagMath) for tier in TIERS]
each = pytest.mark.parametrize("task", TASKS, ids=lambda t: f"{t.name}-{t.tier}")


def identity(example: Example) -> str:
    """The canonical text of a generated problem."""
    prompt = example.problem.prompt
    if prompt.startswith("cd:"):
        return countdown.identity(countdown.Puzzle(*countdown.read(prompt), ""))
    return dagmath.identity(dagmath.parse(prompt))


@each
def test_no_problem_is_in_two_splits(
    task: Countdown | DagMath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of the first test problems have the text of final ones, and later ones have not."""
    monkeypatch.setattr(splits, "PUBLISHED", 50)
    counts = {"train": 100, "dev": 100, "test": 120, "final": 100}
    drawn = {s: {identity(e) for e in task.examples(s, counts[s])} for s in splits.SPLITS}
    assert {s: len(names) for s, names in drawn.items()} == counts
    assert not any(drawn[a] & drawn[b] for a, b in combinations(splits.SPLITS, 2))


@pytest.mark.parametrize("task", [Countdown(), DagMath()], ids=lambda t: t.name)
def test_no_final_problem_was_published(task: Countdown | DagMath) -> None:
    published = {identity(e) for e in task.examples("test", splits.PUBLISHED)}
    assert {splits.split_of(name) for name in published} == {"test", "final"}
    assert not published & {identity(e) for e in task.examples("final", 300)}


@pytest.mark.parametrize(
    ("task", "digest"),
    [(Countdown(), "c84f8467dbe45f50"), (DagMath(), "1efa4848f592e816")],
    ids=["countdown", "dagmath"],
)
def test_published_test_problems_stay_the_same(task: Countdown | DagMath, digest: str) -> None:
    prompts = "".join(e.problem.prompt for e in task.examples("test", splits.PUBLISHED))
    assert sha256(prompts.encode()).hexdigest().startswith(digest)


@pytest.mark.parametrize("split", splits.SPLITS)
def test_every_draw_belongs_to_its_split_and_comes_once(
    split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splits, "PUBLISHED", 0)
    drawn = list(splits.distinct_problems(lambda rng: rng.randrange(9000), str, split, 100, "n", 0))
    assert len(set(drawn)) == 100
    assert {splits.split_of(str(n)) for n in drawn} == {split}


@pytest.mark.parametrize("options", [EvalOptions, FitOptions, GptOptions])
def test_what_chooses_does_so_on_dev(
    options: type[EvalOptions | FitOptions | GptOptions],
) -> None:
    assert options().split == "dev"
    assert options(split="final").split == "final"


def test_a_benchmark_is_of_the_split_it_is_asked_for_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    tiny = ["bench", "--model", "scripted", "--task", "countdown", "--n", "1,2", "--problems", "2"]
    assert main([*tiny, "--strategy", "best-of-n", "--split", "final", "--out", out]) == 0
    assert "countdown: 2 final problems" in capsys.readouterr().out
    assert main(["bench", "--spec", f"{out}/spec.yaml", "--out", out, "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["summary"]
    assert {point["split"] for point in points} == {"final"}
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["split"] == "final"
    assert main([*tiny, "--strategy", "best-of-n", "--split", "last", "--out", out]) == 2
    assert "known: train, dev, test, final" in capsys.readouterr().err


def test_a_diagnosis_names_its_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "eval")
    tiny = ["--model", "scripted", "--task", "countdown", "--n", "2", "--problems", "2"]
    assert main(["eval-verifier", *tiny, "--dev-problems", "2", "--out", out]) == 0
    assert "verdict on 2 dev problems" in capsys.readouterr().out
    assert (
        json.loads((tmp_path / "eval" / "diagnosis.json").read_text())["tasks"][0]["split"] == "dev"
    )
