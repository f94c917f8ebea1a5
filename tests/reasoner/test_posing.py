"""A problem as a text or a conversation, through the front door."""

from __future__ import annotations

from typing import Any

import pytest

from reasoner import Reasoner
from reasoner.backends.scripted import Scripted
from reasoner.errors import ConfigError
from reasoner.posing import as_problem
from reasoner.registry import tasks
from reasoner.types import Generation, Prompt, Sampling

TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": "1+2"},
    {"role": "assistant", "content": "3"},
    {"role": "user", "content": "+4"},
]
IMAGE = [
    {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": "https://e.org/a.png"}}],
    }
]


class Reads(Scripted):
    """Remembers the problems it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = list[Prompt]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.asked.append(prompt)
        return await super().generate(prompt, sampling)


def test_a_conversation_reaches_the_model_as_messages() -> None:
    backend = Reads()
    with Reasoner(backend, strategy="majority") as reasoner:
        result = reasoner.solve(TURNS)
    assert [m.text for m in backend.asked[0].problem.messages] == ["1+2", "3", "+4"]
    assert result.trace.problem.prompt == "user: 1+2\n\nassistant: 3\n\nuser: +4"
    assert result.answer is not None


def test_many_conversations_and_texts_are_solved_together() -> None:
    with Reasoner("scripted", strategy="majority") as reasoner:
        one, other = reasoner.solve_many(["1+2+3", TURNS])
    assert one.answer == "6" and other.answer is not None


def test_the_name_of_a_problem_covers_every_message() -> None:
    names = {as_problem(TURNS, None).id, as_problem(TURNS[2:], None).id, as_problem("+4", None).id}
    turned = [{**m, "role": "user"} for m in TURNS]
    names.add(as_problem(turned, None).id)
    assert len(names) == 4
    assert as_problem(TURNS, None).id == as_problem([dict(m) for m in TURNS], None).id


def test_a_task_writes_the_users_last_turn() -> None:
    task = tasks.make("jsonl(data='x', instruction='Box it.')")
    problem = as_problem(TURNS, task)
    assert [m.text for m in problem.messages] == ["1+2", "3", "+4\nBox it.\n"]


@pytest.mark.parametrize(
    ("posed", "reason"),
    [
        ([], "messages: a conversation is a list"),
        ([{"role": "user", "content": None}], "messages: 0.content"),
        (IMAGE, "has an image, and the backend of 'scripted' takes only text"),
        (" ", "the problem is empty"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_sampling(posed: Any, reason: str) -> None:
    backend = Reads()
    with Reasoner(backend, strategy="majority") as reasoner:
        for solve in (reasoner.solve, lambda p: reasoner.solve_many(["1+2", p])):
            with pytest.raises(ConfigError, match=reason):
                solve(posed)
    assert backend.asked == []
