"""The rules of number puzzles, against a solver and against the task's own check."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.backends.scripted import Scripted
from reasoner.base import Example
from reasoner.benchmarks.tasks.countdown import Countdown, draw
from reasoner.errors import ConfigError
from reasoner.search import Beam
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.arithmetic import Arithmetic
from reasoner.verifiers.common.derivation import Derivation
from tests import ROOT
from tests.verifiers.test_confidence import PROBLEM, patient, said, values

GAME24 = ROOT.parent / "shared" / "data" / "game24.csv"
EASY = Problem("p", "Use 4, 6, 1 and 1.", {"numbers": [4, 6, 1, 1], "target": 24})
Item = tuple[Fraction, str, str]
"""A value, the expression that makes it, and the lines that made it."""


def solutions(items: list[Item], target: int) -> Iterator[tuple[str, str]]:
    """Every way to the target: as one expression, and as one operation a line."""
    if len(items) == 1:
        value, expression, lines = items[0]
        if value == target:
            yield expression, lines
        return
    for i, j in combinations(range(len(items)), 2):
        rest = [x for k, x in enumerate(items) if k not in (i, j)]
        for made in joined(items[i], items[j]):
            yield from solutions([made, *rest], target)


def joined(a: Item, b: Item) -> Iterator[Item]:
    pairs = [(a, "+", b), (a, "*", b), (a, "-", b), (b, "-", a), (a, "/", b), (b, "/", a)]
    for left, sign, right in pairs:
        if sign != "/" or right[0]:
            x, y = left[0], right[0]
            value = {"+": x + y, "*": x * y, "-": x - y, "/": x / y if y else x}[sign]
            line = f"{x} {sign} {y} = {value}"
            yield value, f"({left[1]} {sign} {right[1]})", f"{left[2]}{right[2]}{line}\n"


def game24(numbers: list[int]) -> tuple[Problem, list[tuple[str, str]]]:
    problem = Problem("p", "", {"numbers": numbers, "target": 24})
    start = [(Fraction(x), str(x), "") for x in numbers]
    return problem, list(solutions(start, 24))


def check_game24(numbers: list[int]) -> None:
    """Every solution is right, by its value alone; no solution of a neighbouring puzzle is."""
    problem, found = game24(numbers)
    assert found, f"{numbers} has no solution"
    right = [said(f"Answer: {expression} = 24") for expression, _ in found[:40]]
    assert set(values(Arithmetic(), *right, problem=problem)) == {1.0}
    other, swapped = game24([numbers[0] % 13 + 1, *numbers[1:]])
    wrong = [e for e, _ in swapped[:20]]
    wrong += [e.replace(str(numbers[0]), f"({numbers[0]}+0)", 1) for e, _ in found[:5]]
    wrong += [f"{e}+{numbers[0]}-{numbers[0]}" for e, _ in found[:5]]
    wrong += [f"{numbers[0]}*{numbers[1]}-{numbers[2]}*{numbers[3]}+1/3", "24", "no"]
    assert other.meta["numbers"] != numbers
    assert set(values(Arithmetic(), *map(said, wrong), problem=problem)) == {0.0}


@pytest.mark.parametrize("numbers", [[1, 1, 4, 6], [3, 3, 8, 8], [1, 5, 5, 5], [4, 4, 10, 10]])
def test_game_of_24(numbers: list[int]) -> None:
    check_game24(numbers)


@pytest.mark.skipif(not GAME24.exists(), reason="the puzzles of the Game of 24 are not here")
def test_puzzles_of_the_tree_of_thoughts_paper() -> None:
    rows = list(csv.DictReader(GAME24.read_text().splitlines()))
    for row in rows[900:1000:5]:
        check_game24([int(x) for x in row["Puzzles"].split()])


@pytest.mark.parametrize("numbers", [[1, 1, 4, 6], [1, 2, 3, 4], [4, 4, 10, 10]])
def test_one_operation_a_line(numbers: list[int]) -> None:
    problem, found = game24(numbers)
    whole = [lines for _, lines in found if not re.search(r"-\d|\d/", lines)]
    right = [said(text) for lines in whole for text in (lines, f"{lines}Answer: 24")]
    assert right
    assert set(values(Arithmetic(), *right, problem=problem)) == {1.0}
    first_line_lost = [said(lines.partition("\n")[2]) for lines in whole]
    assert set(values(Arithmetic(), *first_line_lost, problem=problem)) == {0.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6*4*1*1", 1.0),
        ("Answer: 6 × 4 · 1 ÷ 1 = 24.", 1.0),
        (r"$$6 \times 4 \cdot 1 \div 1 = 24$$", 1.0),
        (r"The answer is \boxed{(6)*4*1*1}.", 1.0),
        ("**6*4*1*1 = 24**", 1.0),
        ("1. 6*4*1*1 = 24", 1.0),
        ("- 6*4*1*1 = 24", 1.0),
        ("6*4*1*1 = 25", 1.0),  # What a line says of its value only names it.
        ("6*4*1*1 = 24\nI am not sure.", 0.0),
        ("6*4 = 24", 0.0),
        ("6*4*1*1*1 = 24", 0.0),
        ("-6*-4*1*1 = 24", 0.0),
        ("6*4*1**1 = 24", 0.0),
        ("6*4*1//1 = 24", 0.0),
        ("6*4/(1-1) = 24", 0.0),
        ("64*1*1 = 24", 0.0),
        ("", 0.0),
        ("(" * 5000, 0.0),
        ("1*" * 5000 + "24", 0.0),
        ("9" * 5000, 0.0),
    ],
)
def test_last_lines(text: str, value: float) -> None:
    assert values(Arithmetic(), said(text), problem=EASY) == [value]


def test_settings() -> None:
    assert values(Arithmetic(every=False), said("6*4"), said("6*4+6-6"), problem=EASY) == [1.0, 0.0]
    eighths, _ = game24([3, 3, 8, 8])
    assert values(Arithmetic(), said("8/(3-8/3)"), problem=eighths) == [1.0]
    assert values(Arithmetic(whole=True), said("8/(3-8/3)"), problem=eighths) == [0.0]


def test_a_free_solution_under_way_is_undecided() -> None:
    assert values(Arithmetic(), said("Try 9*9 = 81.", complete=False), problem=EASY) == [0.5]


def test_a_problem_without_a_puzzle_is_refused() -> None:
    for meta in ({}, {"numbers": [1, 2]}, {"numbers": ["one"], "target": 1}):
        with pytest.raises(ConfigError, match="no puzzle"):
            values(Arithmetic(), said("1"), problem=Problem("p", "?", meta))
    assert values(Arithmetic(), problem=PROBLEM) == []


# -- the format of the task ---------------------------------------------------------------------


@patient
@given(st.integers(0, 10**6), st.sampled_from([4, 5, 6]))
def test_decides_as_the_task_does(seed: int, size: int) -> None:
    rng = Random(seed)
    puzzle = draw(rng, size)
    problem = Problem("p", puzzle.prompt)
    texts = [puzzle.solution, *(marred(rng, puzzle.solution) for _ in range(8))]
    expected = [Countdown().check(Example(problem, "0"), text) for text in texts]
    assert values(Arithmetic(), *map(said, texts), problem=problem) == expected
    assert expected[0]


def marred(rng: Random, solution: str) -> str:
    """`solution` with a character changed, a line lost, or lines in another order."""
    lines = solution.split("\n")
    match rng.randrange(3):
        case 0:
            at = rng.randrange(len(solution))
            return solution[:at] + rng.choice("0123456789+-*/=:?,\n") + solution[at + 1 :]
        case 1:
            lines.pop(rng.randrange(len(lines)))
        case _:
            rng.shuffle(lines)
    return "\n".join(lines)


@patient
@given(st.integers(0, 10**6), st.data())
def test_every_start_of_a_right_solution_is_undecided(seed: int, data: st.DataObject) -> None:
    puzzle = draw(Random(seed), 5)
    end = data.draw(st.integers(0, len(puzzle.solution)))
    start = said(puzzle.solution[:end], complete=False)
    assert values(Arithmetic(), start, problem=Problem("p", puzzle.prompt)) == [0.5]


@pytest.mark.parametrize(
    "line",
    [
        "25*26=650:12,3,7,4,650?-344\n",  # 26 is not there
        "25*25=625:12,3,7,4,625?-319\n",  # 25 is there once
        "3-12=9:25,7,4,9?+297\n",  # below zero
        "25/3=8:12,7,4,8?+298\n",  # no whole number
        "let me see\n",
    ],
)
def test_a_move_against_the_rules_ends_it(line: str) -> None:
    problem = Problem("p", "cd:12,3,25,7,4=306\n")
    before = "12*25=300:3,7,4,300?+6\n"
    broken = [said(line, complete=False), said(before + line, complete=False)]
    assert values(Arithmetic(), *broken, problem=problem) == [0.0, 0.0]


async def test_a_beam_is_kept_to_legal_moves() -> None:
    lines = ["12*25=300:3,7,4,300?+6\n", "300+3=303:7,4,303?+3\n", "303+7=310:4,310?-4\n"]
    lines += ["310-4=306:306?+0"]

    def reply(prompt: Prompt, rng: Random) -> str:
        done = min(prompt.text.count("\n"), 3)
        return lines[done] if rng.random() < 0.5 else "99*99=9801:1,2?+1\n"

    result = await solve(
        Problem("p", "cd:12,3,25,7,4=306\n"),
        Beam(n=8),
        Scripted(reply=reply, judge=None),
        Arithmetic(),
        sampling=Sampling(stop=("\n",), max_tokens=200),
    )
    assert result.candidate is not None
    assert result.candidate.text == "".join(lines)


def test_expressions_are_canonical() -> None:
    first, again = Derivation().read("(2+1)*3"), Derivation().read("3*(1 + 2)")
    assert first is not None
    assert first == again
    assert (first.value, first.numbers) == (Fraction(9), (Fraction(1), Fraction(2), Fraction(3)))
