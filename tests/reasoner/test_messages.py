"""Conversations from outside: what is taken, and one line for what is not."""

from __future__ import annotations

from typing import Any

import pytest

from reasoner.errors import ConfigError
from reasoner.messages import (
    LONGEST,
    Message,
    map_first_user,
    map_last_user,
    parse_messages,
    transcript,
)
from reasoner.trace import Trace
from reasoner.types import Problem

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "a conversation is a list of objects with role and content"),
        (None, "a conversation is a list"),
        ("hello", "a conversation is a list"),
        ({"role": "user", "content": "x"}, "a conversation is a list"),
        ([None], "0: Input should be"),
        ([{"role": "oracle", "content": "x"}], "0.role: Input should be 'system', 'developer'"),
        ([{"role": None, "content": "x"}], "0.role: "),
        ([{"role": "user"}], "0.content: Field required"),
        (user(None), "0.content: it is neither a text nor a list of parts"),
        (user(5), "0.content: it is neither a text nor a list of parts"),
        (user([]), "0.content.parts: "),
        (user(["x"]), "0.content.parts.0: "),
        (user([{"type": "video", "url": "x"}]), "0.content.parts.0: "),
        (user([{"type": "text", "text": None}]), "0.content.parts.0.text.text: "),
        (user(nested(500)), "0.content.parts.0: "),
        (user([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]), "an image's URL"),
        (user("x" * (LONGEST + 1)), "0.content.text: Value should have at most"),
        ([*user("x"), {"role": "assistant", "content": "y"}], "the last one is the assistant's"),
        (user(" \n"), "all of them are empty"),
        ([{"role": "user", "content": "x", "tool_calls": [1]}], "0.tool_calls: "),
        (user([{"type": "text", "text": "x"}] * 10_001), "0.content.parts: "),
    ],
)  # fmt: skip
def test_a_hostile_conversation_is_refused_in_one_line(value: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=r"^messages: ") as caught:
        parse_messages(value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_thinking_and_empty_fields_of_earlier_replies_are_left_out() -> None:
    reply = {"role": "assistant", "content": "4", "reasoning": "2+2", "refusal": None}
    messages = parse_messages([*user("2+2?"), reply, *user("And 3+3?")])
    assert messages[1] == Message(role="assistant", content="4")


def test_a_transcript_names_the_roles_unless_there_is_one_message() -> None:
    assert transcript(parse_messages(user("2+2?"))) == "2+2?"
    messages = parse_messages([{"role": "system", "content": "Be brief."}, *user(["t", IMAGE][1:])])
    assert transcript(messages) == "system: Be brief.\n\nuser: [image]"


def test_the_users_first_or_last_turn_is_changed() -> None:
    messages = parse_messages([*user("a"), {"role": "assistant", "content": "b"}, *user("c")])
    assert [m.text for m in map_first_user(messages, str.upper)] == ["A", "b", "c"]
    assert [m.text for m in map_last_user(messages, str.upper)] == ["a", "b", "C"]


@pytest.mark.parametrize(
    ("content", "texts"),
    [([IMAGE, {"type": "text", "text": "what?"}], "[image]\nwhat?!"), ([IMAGE], "[image]\n!")],
)
def test_of_several_parts_the_last_text_is_changed(content: Any, texts: str) -> None:
    [message] = map_last_user(parse_messages(user(content)), lambda text: text + "!")
    assert message.text == texts


def test_a_trace_of_a_conversation_is_read_back() -> None:
    problem = Problem.conversation("p", parse_messages(user([IMAGE])))
    assert problem.messages[0].has_image
    assert Trace.from_json(Trace(problem).to_json()).problem == problem


def test_equal_transcripts_of_different_conversations_differ() -> None:
    one = Problem.conversation("p", parse_messages([*user("a"), *user("b")]))
    other = Problem("p", one.prompt)
    assert one.prompt == other.prompt and one.key != other.key and repr(one) != repr(other)


def test_a_lone_surrogate_is_replaced() -> None:
    assert parse_messages(user("\ud800x"))[0].text == "�x"
