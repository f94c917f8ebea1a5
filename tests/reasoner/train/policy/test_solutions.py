"""Solutions from files and tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reasoner.benchmarks.tasks.countdown import Countdown
from reasoner.benchmarks.tasks.dagmath import DagMath
from reasoner.errors import ConfigError, ReasonerError
from reasoner.registry import tasks
from reasoner.train.policy.solutions import Pair, demonstrations, read_pairs

PUZZLE = next(iter(Countdown().demonstrations("train", 1)))
LABELLED = {
    "id": "a", "task": "t", "prompt": "p", "completions": ["s", "t"], "separator": "\n",
    "labels": [True, True], "values": [None, None], "correct": True, "method": "omega", "k": 1,
    "tokens": 1,
}  # fmt: skip
POOL = {
    "id": "7", "question": PUZZLE.prompt, "answer": "",
    "completions": [
        {"text": PUZZLE.solution}, {"text": "1+1=2"},
        {"text": PUZZLE.solution, "finish_reason": "length"},
    ],
}  # fmt: skip


def saved(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "p", "completion": "s\nt"},
        {"problem": "p", "solution": "s\nt", "extra": 1},
        {"question": "p", "answer": "s\nt"},
        LABELLED,
    ],
)
def test_every_kind_of_line(row: Any, tmp_path: Path) -> None:
    assert read_pairs(saved(tmp_path / "x.jsonl", row)) == [
        Pair.model_validate({"prompt": "p", "solution": "s\nt"})
    ]


def test_wrong_labelled_solutions_are_left_out(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.jsonl", LABELLED, {**LABELLED, "correct": False})
    assert len(read_pairs(path)) == 1


def test_a_pool_is_graded_by_its_task(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.jsonl", POOL)
    [pair] = read_pairs(path, Countdown())
    assert (pair.prompt, pair.solution) == (PUZZLE.prompt, PUZZLE.solution)
    with pytest.raises(ConfigError, match="name the --task"):
        read_pairs(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no right solutions"),
        ("[1]\n", "1 is no JSON object"),
        ("{\n", "1 is no JSON"),
        ('{"prompt": "p"}\n', "1 is no problem with a solution"),
        (
            '{"prompt": "p", "completion": "c"}\n{"prompt": "", "completion": "c"}\n',
            "2 is no problem",
        ),
        ('{"prompt": ["p"], "completion": "c"}\n', "1 is no problem"),
    ],
)
def test_bad_files_are_one_clear_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(ReasonerError, match=message) as e:
        read_pairs(path)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "task", [Countdown(), Countdown(tier="hard"), DagMath(), DagMath(tier="hard")]
)
def test_demonstrations_are_right(task: Any) -> None:
    examples = list(task.examples("train", 20, 3))
    pairs = demonstrations(task, 20, 3)
    assert [p.prompt for p in pairs] == [e.problem.prompt for e in examples]
    assert all(task.exact(e, p.solution) for e, p in zip(examples, pairs, strict=True))


def test_other_tasks_have_none() -> None:
    with pytest.raises(ConfigError, match="no solutions of its own"):
        demonstrations(tasks.make("gsm8k"), 1, 0)
