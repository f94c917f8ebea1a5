"""Questions of your own, and what docs/tasks.md says of every task."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from reasoner.base import Task
from reasoner.errors import ConfigError
from reasoner.registry import tasks
from tests import ROOT


def written(path: Path, *found: dict[str, Any]) -> str:
    path.write_text("\n".join(map(json.dumps, found)))
    return str(path)


def test_questions_of_your_own_need_data() -> None:
    with pytest.raises(ConfigError, match=r"no data is named: give a file \(.jsonl, .*--data"):
        list(tasks.make("jsonl").examples("test", 1))


def test_names_must_differ(tmp_path: Path) -> None:
    data = written(
        tmp_path / "p.jsonl", *({"question": "?", "answer": i, "key": "k"} for i in range(3))
    )
    with pytest.raises(
        ConfigError, match=r"2 problems of .* have the name of another; choose an id field"
    ):
        list(tasks.make("jsonl", data=data, id_field="key").examples("test", 9))


def test_fields_and_names_of_your_own(tmp_path: Path) -> None:
    data = written(tmp_path / "p.jsonl", {"q": "2 + 2?", "a": 4, "key": "easy/1"})
    task = tasks.make(f"jsonl(data={data!r}, question_field='q', answer_field='a', id_field='key')")
    [example] = task.examples("test", 9)
    assert (example.problem.id, example.answer) == ("easy/1", "4")
    assert task.check(example, "Answer: 4.0") and not task.check(example, "Answer: 5")
    wrong = tasks.make("jsonl", data=data, question_field="prompt")
    with pytest.raises(ConfigError, match=r"no field 'prompt'; it has q, a, key"):
        list(wrong.examples("test", 1))


def test_worked_examples_of_your_own(tmp_path: Path) -> None:
    for split, answer in (("train", "Two.\n#### 2"), ("test", "#### 3")):
        written(tmp_path / f"{split}.jsonl", {"question": f"{split}?", "answer": answer})
    [example] = tasks.make("jsonl", data=str(tmp_path), shots=1).examples("test", 9)
    assert (
        example.problem.prompt
        == "Question: train?\nAnswer: Two.\n#### 2\n\nQuestion: test?\nAnswer:"
    )
    with pytest.raises(ConfigError, match="at most 1 worked examples, not shots=2"):
        tasks.make("jsonl", data=str(tmp_path), shots=2).prompt("?")
    with pytest.raises(ConfigError, match="no split 'train'"):
        tasks.make("jsonl", data=str(tmp_path / "test.jsonl"), shots=1).prompt("?")


# -- what the docs say ----------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "tasks.md").read_text()


def test_the_page_lists_every_task() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| .* \| .* \| .* \| .* \| .* \|$", PAGE, re.MULTILINE)
    assert set(listed) == set(tasks.names())


def test_the_page_explains_every_setting() -> None:
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    assert {f.name for name in tasks.names() for f in fields(tasks.load(name))} <= told


def test_the_pages_plugin_works(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    [source] = [block for block in blocks if "class Minerva" in block]
    made: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "tasks.md", "exec", dont_inherit=True), made)
    task = made["Minerva"](data=written(tmp_path / "p.jsonl", {"question": "?", "answer": "0.50"}))
    assert isinstance(task, Task)
    assert [task.check(e, "The answer is $1/2$.") for e in task.examples("test", 2)] == [True]


CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "1+1"},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": "+ 2?"},
]


def test_a_row_may_be_a_conversation(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"messages": CONVERSATION, "answer": "4"},
        {"question": "2 + 2?", "answer": "4"},
    ]
    data = written(tmp_path / "p.jsonl", *rows)
    task = tasks.make("jsonl", data=data, instruction="Box it.")
    first, second = (example.problem for example in task.examples("test", 2))
    assert [m.text for m in first.messages] == ["Be brief.", "1+1", "2", "+ 2?\nBox it.\n"]
    assert first.prompt.endswith("user: + 2?\nBox it.\n")
    assert second.messages == () and second.prompt == "2 + 2?\nBox it.\n"


def test_a_conversation_may_be_a_text_of_json_under_another_name(tmp_path: Path) -> None:
    data = written(tmp_path / "p.jsonl", {"turns": json.dumps(CONVERSATION), "answer": "4"})
    [example] = tasks.make("jsonl", data=data, messages_field="turns").examples("test", 1)
    assert len(example.problem.messages) == 4


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ("[[[", "is no conversation: "),
        (None, "a conversation is a list"),
        ([{"role": "wizard", "content": "x"}], "0.role: "),
        (CONVERSATION[:3], "the last one is the assistant's"),
        ([{"role": "user", "content": [[[]]]}], "0.content.parts.0"),
    ],
)
def test_a_malformed_conversation_is_one_clear_line(
    tmp_path: Path, messages: Any, reason: str
) -> None:
    data = written(tmp_path / "p.jsonl", {"messages": messages, "answer": "4"})
    with pytest.raises(ConfigError, match=r"field 'messages' of a problem is no") as caught:
        list(tasks.make("jsonl", data=data).examples("test", 1))
    assert reason in str(caught.value) and "\n" not in str(caught.value)
