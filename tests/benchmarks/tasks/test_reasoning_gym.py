"""Tasks of reasoning-gym: splits that share no problem, foreign graders, and answers that attack them."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from reasoner import extras
from reasoner.base import Example, Prompting, Task
from reasoner.benchmarks.tasks.generated import SPLITS
from reasoner.benchmarks.tasks.gym_process import Broken, GymProcess, Late, shared_process
from reasoner.benchmarks.tasks.question_answering import normalised
from reasoner.benchmarks.tasks.reasoning_gym import Form, ReasoningGym, read_answer, split_of
from reasoner.errors import ConfigError
from reasoner.naming import format_spec
from reasoner.registry import tasks
from reasoner.types import Problem
from tests.needs import need

need("reasoning_gym")

GSM = "reasoning-gym(dataset='gsm_symbolic')"


@pytest.fixture(scope="module", autouse=True)
def _one_process() -> Iterator[None]:
    """End the shared process after the tests of this file."""
    yield
    shared_process("bubblewrap").close()
    shared_process.cache_clear()


def first(spec: str, split: str = "test") -> tuple[ReasoningGym, Example]:
    task: ReasoningGym = tasks.make(spec)
    return task, next(task.examples(split, 1))


def test_it_is_a_task() -> None:
    task, example = first(GSM)
    assert isinstance(task, Task) and isinstance(task, Prompting)
    assert "between <answer> and </answer>" in example.problem.prompt
    right = f"First…\n<answer>{example.answer}.0</answer>"
    assert task.check(example, right) and not task.check(example, "<answer>-1</answer>")
    assert not task.check(example, example.answer), "an answer outside of its tags"
    assert task.answer(right) == example.answer


@pytest.mark.parametrize("dataset", ["chain_sum", "syllogism", "list_functions"])
def test_splits_share_no_problem(dataset: str) -> None:
    task = ReasoningGym(dataset)
    texts = {s: [e.problem.prompt for e in task.examples(s, 40)] for s in SPLITS}
    assert all(len({normalised(t) for t in some}) == 40 for some in texts.values())
    assert not any(set(texts[a]) & set(texts[b]) for a, b in combinations(SPLITS, 2))


def test_spaces_do_not_move_a_problem_to_another_split() -> None:
    assert split_of("How  many\nlegs? ") == split_of("How many legs?")
    assert {split_of(str(i)) for i in range(50)} == set(SPLITS)


def test_a_stored_spec_reproduces_its_problems_in_a_new_process() -> None:
    spec = format_spec("reasoning-gym", {"dataset": "list_functions+leg_counting"})
    before = list(tasks.make(spec).examples("dev", 6, seed=3))
    process = shared_process("bubblewrap")
    assert process._running is not None
    process._running.end()
    with pytest.raises(Broken, match="has ended"):
        process.ask({})
    asked = {e.problem.id: process.ask(address(e)) for e in reversed(before)}
    for example in before:
        question = str(asked[example.problem.id]["question"]).strip()
        assert example.problem.prompt.startswith(f"{question}\n\nReason")
        assert asked[example.problem.id]["answer"] == example.answer
    names = [e.problem.id.partition("-")[0] for e in before[:2]]
    assert names == ["list_functions", "leg_counting"]
    assert before != list(tasks.make(spec).examples("dev", 6, seed=4))


def address(example: Example) -> dict[str, object]:
    dataset, seed, index = example.problem.id.split("-")
    return {"dataset": dataset, "config": {}, "seed": int(seed) * 2**20, "index": int(index)}


def test_a_chain_of_thought_ends_with_the_answer_in_its_form() -> None:
    for form, end in (("tags", "<answer>{}</answer>"), ("hashes", "\n#### {}"), ("line", "\n{}")):
        task, example = first(f"reasoning-gym(dataset='gsm_symbolic', form={form!r})", "train")
        shown = next(task.demonstrations("train", 1))
        assert shown.prompt == example.problem.prompt
        assert shown.solution.endswith(end.format(example.answer))
        assert len(shown.solution) > 80 and shown.solution.count("####") == (form == "hashes")
        assert task.check(example, shown.solution)


@pytest.mark.parametrize(
    ("dataset", "step"),
    [("leg_counting", re.compile(r"\d+ [a-z ]+: (.+) = (-?\d+) legs")), ("chain_sum", None)],
)
def test_worked_solutions_of_arithmetic_have_right_steps(
    dataset: str, step: re.Pattern[str] | None
) -> None:
    task = ReasoningGym(dataset, form="hashes", step="\n", instruction="")
    examples = task.examples("train", 12)
    for example, shown in zip(examples, task.demonstrations("train", 12), strict=True):
        assert task.check(example, shown.solution) and not shown.prompt.endswith("\n")
        *lines, last = shown.solution.split("\n")
        assert last == f"#### {example.answer}" and lines
        for line in lines:
            match = (step and step.fullmatch(line)) or re.fullmatch(r"(.+) = (-?\d+)", line)
            assert match and eval(match[1], {}) == int(match[2]), line


def test_worked_examples_come_from_the_train_split() -> None:
    task, example = first("reasoning-gym(dataset='gsm_symbolic', shots=2)")
    trained = list(ReasoningGym("gsm_symbolic").demonstrations("train", 3))
    assert example.problem.prompt.count("Question:") == 3
    for shown in trained[:2]:
        assert f"\nAnswer: {shown.solution}\n\n" in example.problem.prompt
    own = next(task.examples("train", 1)).problem.prompt
    assert own.count(trained[0].prompt.partition("\n")[0]) == 1, "itself, and not shown too"
    assert task.check(example, f"<answer>{example.answer}</answer>")
    with pytest.raises(ConfigError, match=r"'rush_hour' has no reference answers .* shots=0"):
        next(ReasoningGym("rush_hour", shots=1).examples("test", 1))


@pytest.mark.parametrize(
    ("form", "solution", "answer"),
    [
        ("tags", "<answer>1</answer> no <answer>\n2\n3 </answer> so", "2\n3"),
        ("tags", "<answer></answer>", None),
        ("tags", "#### 4", None),
        ("hashes", "#### 3\n#### 4 \nso", "4"),
        ("hashes", "4", None),
        ("line", "3\n\n 4 \n", "4"),
        ("line", " \n", None),
    ],
)
def test_answers_are_read_by_form(form: Form, solution: str, answer: str | None) -> None:
    assert read_answer(solution, form) == answer


def test_partial_credit_counts_from_the_threshold_on() -> None:
    task, example = first(GSM)
    wrong = "<answer>123456789</answer>"
    assert task.score(example, wrong) == 0.01
    assert not task.check(example, wrong)
    assert ReasoningGym("gsm_symbolic", threshold=0.01).check(example, wrong)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("reasoning-gym", r"name a data set .* it has ab, acre"),
        ("reasoning-gym(dataset='gsm_symbolc')", r"no data set 'gsm_symbolc'; did you mean gsm_s"),
        ("reasoning-gym(dataset='gcd+composite')", "no data set 'composite'"),
        ("reasoning-gym(dataset='gcd', config={'max_number': 3})", "did you mean max_numbers"),
        ("reasoning-gym(dataset='gcd', config={'seed': 3})", "no setting 'seed'"),
        ("reasoning-gym(dataset='gcd', config={'max_value': -3})", "cannot generate .* max_value"),
        ("reasoning-gym(dataset='gcd', config={'max_value': 'x'})", "cannot generate .* TypeError"),
        ("reasoning-gym(dataset='gcd+lcm', config={'max_value': 3})", "settings of each under its"),
        (
            "reasoning-gym(dataset='coin_flip', config={'max_trials': 3})",
            "only . different problems in split 'test'",
        ),
    ],
)
def test_errors_are_one_line(spec: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        list(tasks.make(spec).examples("test", 50))
    assert "\n" not in str(caught.value)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="no split named 'all'"):
        list(ReasoningGym("gcd").examples("all", 1))


def test_the_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "installed", lambda module: False)
    process = GymProcess("bubblewrap")
    with pytest.raises(ConfigError, match=r"not installed: pip install 'test-time-compute\[gym\]'"):
        process.ask({})
    process.close()
    assert "reasoning_gym" not in sys.modules


def test_an_answer_runs_in_the_sandbox_and_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The grader of `string_insertion` evaluates a list as Python."""
    task, example = first("reasoning-gym(dataset='string_insertion')")
    escaped = tmp_path / "escaped"
    ends = "__import__('os')._exit(3)"
    forges = "[__import__('os').write(f, b'{\"score\": 1}') for f in range(9, 64)]"
    for code in (f"__import__('os').system('touch {escaped}')", ends, forges, "1/0"):
        assert task.score(example, f"<answer>[{code}]</answer>") < 1
    assert not escaped.exists()
    assert "ended with status 3): " not in caplog.text and "status 3" in caplog.text
    assert task.check(example, f"<answer>{example.answer}</answer>"), "the next answer is graded"


def test_an_endless_grader_is_a_wrong_answer(caplog: pytest.LogCaptureFixture) -> None:
    task = ReasoningGym("string_insertion", seconds=0.2)
    example = next(task.examples("test", 1))
    with caplog.at_level(logging.WARNING):
        assert not task.check(example, "<answer>[9**9**9]</answer>")
    assert "took too long" in caplog.text


def test_only_problems_of_the_task_are_graded() -> None:
    task, example = first(GSM)
    named = Example(Problem("gsm8k-test-0", example.problem.prompt), example.answer)
    with pytest.raises(ConfigError, match="named like gsm_symbolic-0-17"):
        task.check(named, "<answer>1</answer>")
    other = Example(Problem(example.problem.id, "1 + 1?"), "2")
    with pytest.raises(ConfigError, match=r"is not the one that .* it is now '.*; use the version"):
        task.check(other, "<answer>2</answer>")


def test_a_process_that_does_not_reply_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    process = shared_process("bubblewrap")
    process.ask({})
    monkeypatch.setattr("select.select", lambda *_: ((), (), ()))
    with pytest.raises(Late, match="did not reply within 0 seconds"):
        process.ask({"dataset": "gcd", "config": {}, "seed": 0, "index": 1}, patience=0)
    assert process._running is None
