"""HumanEval: functions run in the sandbox, whatever form a solution has."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from reasoner.base import Example
from reasoner.benchmarks.tasks.humaneval import HumanEval, docstring_tests
from reasoner.errors import ConfigError
from reasoner.programs import completed
from reasoner.sandbox import Limits
from reasoner.types import Candidate, Completion, Finish, Problem
from reasoner.verifiers.code import Code

bubblewrap = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")
TASK = HumanEval(seconds=20)
"""For a machine that is busy."""
PROMPT = '''from typing import List


def half(number: float) -> float:
    """ Half of it. """
    return number / 2


def halves(numbers: List[float]) -> List[float]:
    """ Halve every number.
    >>> halves([1.0, 3.0])
    [0.5, 1.5]
    >>> halves([]) == []
    >>> halves([2.0])
    """
'''
TESTS = "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([4.0, 1.0]) == [2.0, 0.5]\n    assert candidate([]) == []\n"
ZEROED = "def check(candidate):\n    assert candidate([4.0]) == [half(4.0)]\n"
BODY = "    return [half(number) for number in numbers]\n"
WHOLE = f"def halves(numbers: List[float]) -> List[float]:\n{BODY}"
ROW = {
    "task_id": "Half/0",
    "prompt": PROMPT,
    "entry_point": "halves",
    "canonical_solution": BODY,
    "test": TESTS,
}


@pytest.fixture
def example(tmp_path: Path) -> Example:
    (tmp_path / "p.jsonl").write_text(json.dumps(ROW))
    [example] = HumanEval(data=str(tmp_path / "p.jsonl")).examples("test", 9)
    return example


def test_what_a_solver_sees(example: Example) -> None:
    problem = example.problem
    assert (problem.id, example.answer) == ("Half/0", TESTS)
    assert (
        problem.prompt
        == f"Complete this Python function. Answer with its code and nothing else.\n\n{PROMPT}"
    )
    assert dict(problem.meta) == {
        "entry_point": "halves",
        "head": PROMPT,
        "tests": docstring_tests(PROMPT),
    }
    assert "4.0" not in json.dumps(dict(problem.meta))
    assert docstring_tests(PROMPT) == [
        "assert (halves([1.0, 3.0])) == ([0.5, 1.5])",
        "assert halves([]) == []",
    ]
    assert docstring_tests("no Python") == []


@bubblewrap
@pytest.mark.parametrize(
    ("solution", "right"),
    [
        (BODY, True),
        (f"{BODY}\n\ndef other(:\n", True),
        (WHOLE, True),
        (f"Sure:\n```python\n{WHOLE}```\nIt halves.", True),
        (f"```\n{BODY.strip()}\n```", True),
        ("    return numbers\n", False),
        (f"```python\n{WHOLE}```\nBetter:\n```python\n{WHOLE.replace('half(', 'abs(')}```", False),
        ("I cannot.", False),
        ("", False),
    ],
)
def test_solutions_in_the_wild(example: Example, solution: str, right: bool) -> None:
    assert TASK.check(example, solution) is right


@bubblewrap
def test_helpers_of_the_prompt_are_the_tests_own(example: Example) -> None:
    helped = replace(example, answer=f"{TESTS}    assert candidate([3.0]) == [half(3.0)]\n")
    assert TASK.check(helped, BODY)
    cheat = f"```python\ndef half(number):\n    return 0\n\n{WHOLE}```"
    assert not TASK.check(replace(example, answer=ZEROED), cheat)


@bubblewrap
async def test_an_event_loop_may_ask_and_raw_fields_do() -> None:
    raw = Example(Problem("p", PROMPT), TESTS)
    assert TASK.check(raw, BODY)
    assert not TASK.check(raw, "    pass\n")


@bubblewrap
async def test_the_verifier_may_see_the_examples_of_the_docstring(example: Example) -> None:
    patient = Code(seconds=20, limits=Limits(seconds=60))
    found = [
        Candidate((Completion(completed(PROMPT, "halves", body), (), Finish.EOS),), complete=True)
        for body in (BODY, "    return []\n")
    ]
    judgement = await patient.score(example.problem, found)
    assert [score.value for score in judgement.scores] == [1, 0.5]


def test_votes_for_equal_programs_are_for_one() -> None:
    assert TASK.answer(f"```python\n{WHOLE}```") == TASK.answer(f"{WHOLE}  # Done.\n")
    assert (
        TASK.answer(BODY)
        == TASK.answer(f"```\n{BODY.strip()}\n```")
        != TASK.answer("    return 1\n")
    )
    assert TASK.answer("no code:") == "no code:"
    assert TASK.answer("") is None


def test_there_must_be_a_function() -> None:
    with pytest.raises(ConfigError, match="no function to complete in 'Write a poem"):
        TASK.check(Example(Problem("p", "Write a poem."), TESTS), BODY)
