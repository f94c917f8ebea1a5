"""Problems and conversations as a model reads them, and thinking that the prompt opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.prompt_template import Rendered, Template
from reasoner.messages import parse_messages
from reasoner.posing import with_examples
from reasoner.types import Completion, Finish, Problem, Prompt
from tests import models

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
SYSTEM = {"role": "system", "content": "Be brief."}
TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": "1+1"},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": [{"type": "text", "text": "and"}, {"type": "text", "text": "3+3"}]},
]


def posed(*messages: dict[str, Any]) -> Problem:
    return Problem.conversation("p", parse_messages(list(messages)))


def said(template: Template, problem: Problem, written: str = "") -> list[tuple[str, Any]]:
    return [(m["role"], m["content"]) for m in template.messages(problem, written)]


def test_a_text_is_the_users_only_turn() -> None:
    template = Template("Think.", [("0+0", "0")])
    assert said(template, Problem("p", "1+2"), "so") == [
        ("system", "Think."), ("user", "0+0"), ("assistant", "0"), ("user", "1+2"), ("assistant", "so"),
    ]  # fmt: skip


def test_system_messages_are_merged_and_shots_precede_the_conversation() -> None:
    template = Template("Think.", [("0+0", "0")])
    assert said(template, posed(SYSTEM, *TURNS), "so") == [
        ("system", "Think.\n\nBe brief."), ("user", "0+0"), ("assistant", "0"),
        ("user", "1+1"), ("assistant", "2"), ("user", "and\n3+3"), ("assistant", "so"),
    ]  # fmt: skip


def test_braces_in_a_system_message_stay() -> None:
    assert said(Template("{x} {}"), posed(SYSTEM, *TURNS))[0] == ("system", "{x} {}\n\nBe brief.")


def test_an_image_is_passed_on_as_a_part() -> None:
    [message] = Template().messages(posed({"role": "user", "content": [IMAGE]}))
    assert message == {"role": "user", "content": [IMAGE]}


def test_a_base_model_reads_a_transcript() -> None:
    text = Template("Think.").text(posed(SYSTEM, *TURNS))
    assert text == "Think.\n\nsystem: Be brief.\n\nuser: 1+1\n\nassistant: 2\n\nuser: and\n3+3"


def test_examples_precede_the_users_first_turn() -> None:
    problem = with_examples(posed(SYSTEM, *TURNS), "0+0=0\n")
    assert [m.text for m in problem.messages][:2] == ["Be brief.", "0+0=0\n1+1"]
    assert problem.prompt.startswith("system: Be brief.\n\nuser: 0+0=0\n1+1")


class Letters:
    """A tokenizer of one token per character, with Qwen3's template of a thinking model."""

    chat_template = "a template"

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [*([0] if add_special_tokens else []), *map(ord, text)]

    def apply_chat_template(self, messages: list[dict[str, Any]], **_: bool) -> str:
        return "".join(f"<{m['role']}>{m['content']}" for m in messages) + "<assistant><think>\n"


def letters(text: str) -> list[int]:
    return Letters().encode(text, add_special_tokens=False)


PROMPT = "<user>1+2<assistant><think>\n"


@pytest.fixture
def rendered() -> Rendered:
    return Template().render(Letters(), Problem("p", "1+2"))


def test_an_opening_mark_at_the_prompts_end_begins_the_reply(rendered: Rendered) -> None:
    assert (list(rendered.ids), rendered.opening) == (letters(PROMPT), "<think>\n")
    first = Prompt(Problem("p", "1+2"))
    assert rendered.shown(first, "so 3") == "<think>\nso 3"
    step = Completion(rendered.shown(first, "so 3\n"), tuple(letters("so 3\n")), Finish.STOP)
    assert rendered.shown(first.extend(step), "</think>3") == "</think>3"


@pytest.mark.parametrize("known", [True, False])
def test_a_continued_prompt_has_the_mark_once(rendered: Rendered, known: bool) -> None:
    text = "<think>\nso 3\n"
    sampled = tuple(letters("so 3\n")) if known else ()
    prompt = Prompt(Problem("p", "1+2"), text, sampled)
    assert rendered.continued(prompt, letters) == letters(PROMPT + "so 3\n")


def test_a_beginning_that_was_encoded_again_has_the_mark_once(rendered: Rendered) -> None:
    text = "<think>\nso 3\n"
    prompt = Prompt(Problem("p", "1+2"), text, tuple(letters(text)))
    assert rendered.continued(prompt, letters) == letters(PROMPT + "so 3\n")


def test_a_template_without_a_mark_shows_none() -> None:
    rendered = Template().render(Letters(), Problem("p", "1+2"), chat=False)
    assert rendered.opening == "" and rendered.ids == (0, *letters("1+2"))
    assert rendered.shown(Prompt(Problem("p", "1+2")), "3") == "3"


def test_marks_that_are_special_tokens_stay_in_the_text(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = models.gpt2(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    marks = ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "[THINK]", "<|other|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.save_pretrained(folder)
    checkpoint = Checkpoint(str(folder))
    ids: Any = tokenizer.convert_tokens_to_ids(
        ["<|channel|>", "1", "<|message|>", "<|other|>", "[THINK]"]
    )
    assert checkpoint.decode(ids) == "<|channel|>1<|message|>[THINK]"


def test_an_end_of_turn_of_another_model_is_no_mark(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = models.gpt2(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|end|>", "[THINK]"]})
    tokenizer.save_pretrained(folder)
    ids: Any = tokenizer.convert_tokens_to_ids(["1", "<|end|>", "[THINK]"])
    assert Checkpoint(str(folder)).decode(ids) == "1[THINK]"
