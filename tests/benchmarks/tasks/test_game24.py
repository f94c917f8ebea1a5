"""Game of 24: any expression of the four numbers that comes to 24, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reasoner.base import Example
from reasoner.benchmarks.tasks.game24 import WORKED, Game24, numbers
from reasoner.benchmarks.tasks.loading import rows
from reasoner.errors import ConfigError
from reasoner.types import Problem
from tests import ROOT

DATA = ROOT.parent / "shared" / "data" / "game24.csv"
beside = pytest.mark.skipif(not DATA.is_file(), reason=f"no puzzles at {DATA}")
STEPS = "10 - 4 = 6 (left: 1 5 6)\n5 - 1 = 4 (left: 4 6)\n6 * 4 = 24 (left: 24)"
VOTE = "((10-4)*(5-1))"


def puzzle(text: str, answer: str = "") -> Example:
    """A puzzle as an imported pool has it."""
    return Example(Problem("p", text), answer)


@pytest.mark.parametrize(
    "solution",
    [
        "Answer: (10 - 4) * (5 - 1) = 24", "Answer: (10 - 4) * (5 - 1)", "(10 - 4) × (5 − 1) = 24.",
        "**Answer:** `(10 - 4) * (5 - 1) = 24`", r"\boxed{(10-4)\times(5-1)=24}",
        r"Answer: $\left(10-4\right)\left(5-1\right)=24$", "Answer: 24 = (10 - 4) x (5 - 1)",
        "So:\n\\[ [10-4] \\cdot (5-1) = 24 \\]\nThus \\boxed{24}.", STEPS, f"{STEPS}\nAnswer: (10 - 4) * (5 - 1) = 24",
        f"{STEPS}\n(10 - 4) * (5 - 1) = 24", "1. 10 - 4 = 6\n2. 5 - 1 = 4\n3. 6 * 4 = 24\n\nThe answer is 24.",
        "Answer: (10 - 4) * (5 - 1) = 24\nInput: 3 3 8 8\nAnswer: 8 / (3 - 8 / 3) = 24",
    ],
)  # fmt: skip
@pytest.mark.parametrize("asked", ["1 4 5 10", "5, 1, 10, 4", Game24(shots=2).prompt("4 1 10 5")])
def test_right_in_the_wild(solution: str, asked: str) -> None:
    assert Game24().check(puzzle(asked), solution)
    assert Game24().check(puzzle(asked, "24"), solution)
    assert Game24().answer(solution) == VOTE


@pytest.mark.parametrize(
    "solution",
    [
        "", "24", "Answer: 24", "Answer: 24 = 24", "Answer: 4 * 5 + 4 = 24", "Answer: (10 - 4) * (5 - 1) * 4 / 4 = 24",
        "Answer: (10 - 4) * (5 - 1) * 1 = 24", "Answer: (10 - 4) * (5 - 1) + 0 = 24", "Answer: 6 * 4 = 24",
        "Answer: (10 - 4) * 5 - 1 = 24", "Answer: 10 / (1 - 1) = 24", "Answer: (10 - 4 * (5 - 1) = 24",
        "10 - 4 = 6\n5 - 1 = 5\n6 * 4 = 24", "10 - 4 = 6\n6 * 4 = 24", "Answer: __import__('os') = 24",
        "Answer: 10 ** 1 + 5 + 4 = 24", "Answer: -10 + 4 = 24",
        f"{STEPS}\nAnswer: 4 * 5 + 4 = 24", f"{STEPS}\n6 * 4 = 24",
    ],
)  # fmt: skip
def test_wrong(solution: str) -> None:
    assert not Game24().check(puzzle("1 4 5 10"), solution)


@pytest.mark.parametrize(
    "text", ["Answer: 8 / (3 - 8 / 3)", r"Answer: \frac{8}{3-\frac{8}{3}} = 24"]
)
def test_fractions_are_exact(text: str) -> None:
    assert Game24().check(puzzle("3 3 8 8"), text)
    assert not Game24().check(puzzle("3 8 8 8"), text)


def test_worked_examples_are_right() -> None:
    for asked, solution in WORKED:
        assert Game24().check(puzzle(asked), solution)


@beside
def test_splits_are_ranks() -> None:
    task = Game24(data=str(DATA))
    tested, others = (list(task.examples(split, 5000)) for split in ("test", "dev"))
    assert [e.problem.id for e in tested] == [f"game24-{rank}" for rank in range(901, 1001)]
    assert (len(others), tested[0].answer, numbers(tested[0].problem.prompt)) == (
        1262,
        "24",
        [4, 5, 6, 10],
    )
    shown = {tuple(sorted(numbers(asked))) for asked, _ in WORKED}
    assert not shown & {tuple(sorted(numbers(e.problem.prompt))) for e in tested}
    assert (
        list(task.examples("test", 3, seed=1))
        == list(task.examples("test", 3, seed=1))
        != tested[:3]
    )
    with pytest.raises(ConfigError, match=r"no split 'train'; it has test, dev"):
        list(task.examples("train", 1))
    assert len(rows(str(DATA), "test")) == 1362


def test_puzzles_without_ranks_are_all_for_testing(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"numbers": [1, 1, 1, 8]}')
    [example] = Game24(data=str(tmp_path / "p.jsonl")).examples("test", 9)
    assert example.problem.prompt.endswith("\nInput: 1 1 1 8\n")
    with pytest.raises(ConfigError, match=r"no split 'dev'; it has test"):
        list(Game24(data=str(tmp_path / "p.jsonl")).examples("dev", 9))


@pytest.mark.parametrize("text", ["1 2 3", "1 2 3 4 5", "one two three four"])
def test_a_puzzle_has_four_numbers(text: str) -> None:
    with pytest.raises(ConfigError, match="is not four numbers; write it like 4 5 6 10"):
        Game24().prompt(text)


def test_there_are_four_worked_examples() -> None:
    prompt = Game24(shots=4).prompt("4 5 6 10")
    assert prompt.count("Input:") == 5 and prompt.endswith("Input: 4 5 6 10\nSteps:\n")
    with pytest.raises(ConfigError, match="'game24' has at most 4 worked examples, not shots=5"):
        Game24(shots=5).prompt("4 5 6 10")


@pytest.mark.parametrize(
    "endless", [r"\frac{", "4+", "(", "{", "1 ", "= ", "4 5 6 10\n", "Answer: 4+5"]
)
def test_a_model_that_repeats_itself_holds_nobody_up(endless: str) -> None:
    start = time.process_time()
    assert not Game24().check(puzzle("4 5 6 10"), endless * 5000)
    assert time.process_time() - start < 5
