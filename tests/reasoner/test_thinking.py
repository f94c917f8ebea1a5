"""Thinking and answer of a reply, told apart by the marks that models write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.thinking import MARKS, answer_text, closing, open_mark, split

HARMONY = "<|channel|>analysis<|message|>{0}<|end|><|start|>assistant<|channel|>final<|message|>{1}"


@pytest.mark.parametrize("opening", MARKS)
def test_each_mark_separates_thinking_from_answer(opening: str) -> None:
    parts = split(f"{opening}so it is 4{closing(opening)}\n\n5")
    assert parts.answer == "\n\n5" and not parts.unfinished
    assert parts.thinking.startswith("so it is 4") and "5" not in parts.thinking


@pytest.mark.parametrize("opening", MARKS)
def test_a_reply_cut_while_thinking_has_no_answer(opening: str) -> None:
    parts = split(f"{opening}the answer is 4")
    assert (parts.answer, parts.thinking, parts.opening) == ("", "the answer is 4", opening)


@pytest.mark.parametrize(
    ("reply", "thinking", "answer"),
    [
        ("so 4\n</think>\n\n5", "so 4", "\n\n5"),  # The prompt ended in the opening mark.
        ("<think>\n\n</think>\n\n7", "", "\n\n7"),
        ("<think>a</think>b</think>c", "ab", "c"),
        ("<think>a</think>It is 5.\n<think>or 6", "a\nor 6", "It is 5.\n"),
        ("Sure:\n<think>a</think>5", "Sure:\na", "5"),
        ("It writes <think> first. #4", "", "It writes <think> first. #4"),
        (HARMONY.format("hm", 42), "hm<|end|><|start|>assistant", "42"),
        ("analysisWe add.assistantfinal42", "We add.", "42"),
        ("analysisWe add", "We add", ""),
        ("analysis shows: 4", "", "analysis shows: 4"),
        ("", "", ""),
    ],
)
def test_parts(reply: str, thinking: str, answer: str) -> None:
    parts = split(reply)
    assert (parts.thinking, parts.answer) == (thinking, answer)


PIECE = st.sampled_from([*MARKS, *MARKS.values(), "\n", " ", "x", "analysisWe", "assistantfinal"])


@given(st.lists(PIECE, max_size=12).map("".join))
def test_an_answer_has_no_thinking_and_every_character_is_counted_once(reply: str) -> None:
    parts = split(reply)
    assert answer_text(parts.answer) == parts.answer or parts.answer.startswith("analysis")
    assert parts.thought(0, len(reply)) == len(reply) - len(parts.answer)
    half = len(reply) // 2
    assert parts.thought(0, half) + parts.thought(half, len(reply)) == parts.thought(0, len(reply))


@pytest.mark.parametrize(
    ("prompt", "mark"),
    [
        ("<|im_start|>assistant\n<think>\n", "<think>\n"),
        ("<｜Assistant｜><think>", "<think>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),
        ("assistant\n", ""),
    ],
)
def test_the_mark_in_which_a_prompt_ends(prompt: str, mark: str) -> None:
    assert open_mark(prompt) == mark
