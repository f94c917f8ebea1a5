"""Tasks with questions of a data set: gold solutions are right, answers in the wild are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reasoner.base import Example, Task
from reasoner.benchmarks.tasks.grading.symbolic import shared_pool, symbolic
from reasoner.errors import ConfigError
from reasoner.registry import tasks
from reasoner.types import Problem
from tests import ROOT
from tests.needs import need

DATA = ROOT.parent / "shared" / "data"
NAMES = ["gsm8k", "math", "math500", "aime24", "aime25", "amc23", "gpqa", "game24", "humaneval"]
beside = pytest.mark.skipif(not DATA.is_dir(), reason=f"no data sets in {DATA}")


@pytest.fixture(scope="module", autouse=True)
def workers() -> Iterator[None]:
    """End the workers that graded."""
    yield
    shared_pool(symbolic.workers, symbolic.limit, symbolic.patience).close()
    shared_pool.cache_clear()


def written(path: Path, *found: dict[str, Any]) -> str:
    path.write_text("\n".join(map(json.dumps, found)))
    return str(path)


def about(answer: str, question: str = "?") -> Example:
    """An example as an imported pool has it: the fields as they stand in the data."""
    return Example(Problem("p", question), answer)


# -- real data ------------------------------------------------------------------------------------


def solution(row: dict[str, Any]) -> str:
    """A gold solution; AMC23 has answers only."""
    text = row.get("solution", row["answer"])
    return f"So it is {text}.\n\nAnswer: {text}" if isinstance(text, float) else text


@beside
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "file", "same"),
    [
        ("gsm8k", "gsm8k_test", set()),
        ("math500", "math500", {22}),
        ("aime24", "aime24", set()),
        ("amc23", "amc23", {19, 21, 22}),
    ],
)
def test_gold_solutions(name: str, file: str, same: set[int]) -> None:
    """Each is right for its own problem, and for the one before where both have one answer (`same`)."""
    need("math_verify")
    path = DATA / f"{file}.jsonl"
    found = [solution(json.loads(line)) for line in path.read_text().splitlines()[:51]]
    task: Task = tasks.make(name, data=str(path))
    examples = list(task.examples("test", 50))
    assert len(examples) == len({e.problem.id for e in examples}) == min(50, len(found))
    with ThreadPoolExecutor(8) as callers:
        assert all(callers.map(task.check, examples, found))
        right = callers.map(task.check, examples[:25], found[1:])
        assert {i for i, yes in enumerate(right) if yes} == same


@beside
def test_references_are_read_from_solutions() -> None:
    task = tasks.make("gsm8k", data=str(DATA / "gsm8k_test.jsonl"))
    first, second = task.examples("test", 2)
    assert (first.answer, second.answer) == ("18", "3")
    assert first.problem.id == "gsm8k-test-0"
    assert first.problem.prompt.startswith("Janet")
    assert first.problem.prompt.endswith("put your final answer within \\boxed{}.\n")
    assert len(list(task.examples("test", 5000))) == 1319


# -- answers in the wild --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stated",
    [
        "A: 1800", "#### 1800", "#### 1,800", r"So \boxed{1800}.", r"$\boxed{1{,}800}$",
        "The answer is 1800.", "The answer is $1,800.", "the answer is 1,800 dollars a year.\n\nBye",
        "**Answer:** 1800", "Answer: 1800.00", "**Final answer: $1800$**", "Answer:\n$$1800$$",
        r"The final answer is: \(1800\)",
        "Final Answer: The final answer is $1800$. I hope it is correct.", "She makes 1.\nA: $1,800.",
        "A: She makes 900 twice. The answer is 1800.", r"\boxed{\$1800}", r"\boxed{1800\text{ dollars}}",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "reference", ["1800", "2 * 900 = 1,800\n#### 1,800", r"It is $\boxed{1800}$.", "1800.0"]
)
def test_numbers_in_the_wild(stated: str, reference: str) -> None:
    task = tasks.make("gsm8k")
    assert task.answer(stated) == "1800"
    assert task.check(about(reference), stated)
    assert not task.check(about("1801"), stated)


@pytest.mark.parametrize("silent", ["", "There are 18", "18", "A: 18\nOr perhaps not", "It is 18."])
def test_a_number_that_merely_comes_last_is_no_answer(silent: str) -> None:
    task = tasks.make("gsm8k")
    assert task.answer(silent) is None
    assert not task.check(about("18"), silent)


def test_a_question_that_the_solver_asks_itself_is_not_answered() -> None:
    rambling = "2 + 1 = 3. The answer is 3.\n\nQ: And then?\nA: The answer is 4."
    task = tasks.make("gsm8k")
    assert task.answer(rambling) == "3"
    assert task.answer("Let me see.\n\nProblem: 1 + 1\n\\boxed{2}") == "2"


@pytest.mark.parametrize(
    ("stated", "right"),
    [
        (r"\boxed{\dfrac{1}{2}}", True), ("The answer is $0.5$.", True), ("A: 1/2", True),
        (r"\boxed{\frac{2}{4}}", True), (r"\boxed{\frac{1}{3}}", False), ("1/2", False),
    ],
)  # fmt: skip
def test_mathematics_in_the_wild(stated: str, right: bool) -> None:
    need("math_verify")
    assert tasks.make("math").check(about(r"Thus it is $\boxed{\frac{1}{2}}.$"), stated) is right


def test_votes_for_equal_answers_are_for_one() -> None:
    numeric, symbolic = tasks.make("aime24"), tasks.make("math500")
    assert numeric.answer("Answer: 025") == numeric.answer(r"\boxed{25.0\text{ cm}}") == "25"
    assert symbolic.answer(r"\boxed{\dfrac{1}{2}}") == symbolic.answer("Answer: 0.5") == "1/2"
    assert (
        symbolic.answer(r"$\boxed{\left(x+1\right)}$")
        == symbolic.answer("#### ( x + 1 )")
        == "(x+1)"
    )


@pytest.mark.parametrize(
    ("grader", "stated", "right"),
    [
        ("exact", "Answer: 1{,}000", True), ("exact", "Answer: 1000", False),
        ("numeric", "Answer: 1000 feet", True), ("numeric", "Answer: 500+500", False),
        ("symbolic", "Answer: 500+500", True), ("choice", "Answer: 1000", False),
    ],
)  # fmt: skip
def test_graders(tmp_path: Path, grader: str, stated: str, right: bool) -> None:
    need("math_verify")
    data = written(tmp_path / "p.jsonl", {"question": "?", "answer": "1,000"})
    task = tasks.make("jsonl", data=data, grader=grader)
    [example] = task.examples("test", 1)
    assert task.check(example, stated) is right


# -- prompts and settings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shots", "beginning", "end"),
    [
        ("gsm8k", 8, "Q: There are 15 trees", "The answer is 8.\n\nQ: Why?\nA:"),
        ("math", 4, "Problem:\nFind the domain", "Problem:\nWhy?\n\nSolution:"),
        ("aime25", 1, "Problem:\nFind the domain", "[2,5)}$.\n\nProblem:\nWhy?\n\nSolution:"),
    ],
)
def test_worked_examples(name: str, shots: int, beginning: str, end: str) -> None:
    task = tasks.make(name, shots=shots)
    prompt = task.prompt(" Why?\n")
    assert prompt.startswith(beginning) and prompt.endswith(end)
    assert prompt.count("\n\n" + beginning[:2]) == shots
    assert all(task.answer(solution) for _, solution in task.worked)


@pytest.mark.parametrize("name", NAMES)
def test_every_task_says_how_it_is_sampled(name: str) -> None:
    task: Task = tasks.make(name, step="###", max_tokens=77)
    assert isinstance(task, Task) and task.name == name
    assert (task.sampling.stop, task.sampling.max_tokens) == (("###",), 77)
    assert 0.5 < task.sampling.temperature < 1
    assert tasks.make(name).sampling.stop in {("\n",), ("\n\n",)}
    assert 1024 <= tasks.make(name).sampling.max_tokens <= 2048


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("math(shots=-1)", "shots=-1: Input should be greater than or equal to 0"),
        ("amc23(grader='luck')", "grader='luck': Input should be 'exact', 'numeric'"),
        ("gsm8k(fewshot=1)", "has no setting 'fewshot'; did you mean shots?"),
    ],
)
def test_settings_that_cannot_be(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tasks.make(name)


@pytest.mark.parametrize(
    ("name", "shots", "most"), [("gsm8k", 9, 8), ("math500", 5, 4), ("gpqa", 1, 0)]
)
def test_no_more_shots_than_there_are(name: str, shots: int, most: int) -> None:
    with pytest.raises(
        ConfigError, match=f"'{name}' has at most {most} worked examples, not shots={shots}"
    ):
        tasks.make(name, shots=shots).prompt("?")


def test_an_order_for_each_seed(tmp_path: Path) -> None:
    found = [{"problem": f"{i}?", "answer": i} for i in range(30)]
    task = tasks.make("amc23", data=written(tmp_path / "p.jsonl", *found))
    orders = [[e.answer for e in task.examples("test", 5, seed)] for seed in (0, 1, 1, 2)]
    assert orders[0] == list("01234")
    assert orders[0] != orders[1] == orders[2] != orders[3]
    # A problem keeps its name, wherever it comes.
    assert all(e.problem.id == f"amc23-test-{e.answer}" for e in task.examples("test", 30, 1))


# -- multiple choice ------------------------------------------------------------------------------

WRONG = ("2", "8", "4")
GPQA = {"Question": "How many?", "Correct Answer": "16\n"} | {
    f"Incorrect Answer {i}": wrong for i, wrong in enumerate(WRONG, 1)
}


def options(prompt: str) -> dict[str, str]:
    return {line[1]: line[4:] for line in prompt.splitlines() if line.startswith("(")}


def test_gpqa_shuffles_by_seed(tmp_path: Path) -> None:
    data = written(
        tmp_path / "p.jsonl", *({**GPQA, "Question": f"How many? {i}"} for i in range(20))
    )
    orders = list[list[dict[str, str]]]()
    for seed in (0, 0, 1):
        examples = list(tasks.make("gpqa", data=data, seed=seed).examples("test", 20))
        orders.append([options(e.problem.prompt) for e in examples])
        assert all(o[e.answer] == "16" for o, e in zip(orders[-1], examples, strict=True))
        assert {e.answer for e in examples} == set("ABCD")
    assert all(sorted(o.values()) == sorted(("16", *WRONG)) for order in orders for o in order)
    assert orders[0] == orders[1] != orders[2]
    later = list(tasks.make("gpqa", data=data).examples("test", 20, seed=3))
    assert all(options(e.problem.prompt) in orders[0] for e in later)


@pytest.mark.parametrize(
    "stated", ["Answer: B", "The answer is (B).", r"\boxed{B}", "**Answer: B**", "(B)"]
)
def test_gpqa_grades_letters(stated: str) -> None:
    task = tasks.make("gpqa")
    assert task.answer(f"Of the options\nA: 2\nB: 16\nI take the second.\n\n{stated}") == "B"
    assert task.check(about("B"), stated) and task.check(about("(B)"), stated)
    assert not task.check(about("C"), stated)
