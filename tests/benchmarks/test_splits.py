"""Splits share no problem, and published test problems stay where they are."""

from __future__ import annotations

from hashlib import sha256
from itertools import combinations

import pytest

from reasoner.base import Example
from reasoner.benchmarks import countdown, dagmath, splits
from reasoner.benchmarks.countdown import Countdown
from reasoner.benchmarks.dagmath import DagMath

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
