"""Calls in a text, and the part of an untrusted output that reaches a prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.printable import printable
from reasoner.thinking import MARKS, split
from reasoner.tool_calls import CUT, FENCE, OUTPUT, called_code, framed, harmless
from reasoner.tools.python import PythonTool

TOOL = PythonTool()
TAGS = PythonTool(opening="<code>", closing="</code>")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nprint(1)\n```\n", "print(1)"),
        ("So:\n```python\na = 1\n\nprint(a)\n```\n", "a = 1\n\nprint(a)"),
        ("- so:\n  ```python\n  print(1)\n```\n", "  print(1)"),
        ("```python\n```\n", ""),
        ("```python\n\n```\n", ""),
        ("```python\nprint(1)\n```", None),
        ("```python\nprint(1)\n", None),
        ("```python\n", None),
        ("```text\nprint(1)\n```\n", None),
        ("```python\nprint(1)\n```\nand\n```\nx\n```\n", None),
        ("Write ```python\nprint(1)\n```\n", None),
        ("", None),
    ],
)
def test_calls(text: str, code: str | None) -> None:
    assert called_code(TOOL, text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [("<code>1+1</code>", "1+1"), ("<code></code>", ""), ("<code>1</code> 2</code>", None)],
)
def test_calls_between_other_marks(text: str, code: str | None) -> None:
    assert called_code(TAGS, text) == code


@given(st.text())
def test_any_text_can_be_searched_for_a_call(text: str) -> None:
    code = called_code(TOOL, text + "```python\n" + text + "\n```\n")
    assert code is None or code in text


@pytest.mark.parametrize(
    "mark", ["</s>", "<|im_end|>", "<eos>", "[INST]", "[/INST]", *MARKS, *MARKS.values()]
)
def test_an_output_holds_no_special_token_and_ends_no_thinking(mark: str) -> None:
    shown = harmless(f"1 {mark} 2")
    assert mark not in shown
    assert split("<think>\n" + shown).unfinished


def test_an_output_leaves_its_frame_by_no_fence() -> None:
    whole, _ = framed("````\n```python\nprint(1)\n```\n", 100, str.encode)
    assert len(FENCE.findall(whole)) == 2 and whole.endswith("\n```\n")


def test_ordinary_outputs_stay_as_they_are() -> None:
    for text in ("a < b, c <= d, [1, 2], [A, B]", "{'x': [0.5]}", "naïve – 数\n\tx"):
        assert harmless(text) == text


@given(st.text(max_size=300), st.integers(1, 40))
def test_an_output_has_at_most_its_tokens(text: str, most: int) -> None:
    whole, ids = framed(text, most, str.encode)
    assert bytes(ids).decode() == whole
    assert len(ids) <= most + len((OUTPUT.format("") + CUT).encode())
    assert printable(whole) == whole
