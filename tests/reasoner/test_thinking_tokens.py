"""Tokens of thinking: counted by token ids where the backend can spell them, else estimated and marked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Ledger, possible
from reasoner.registry import strategies
from reasoner.solving import solve
from reasoner.thinking_tokens import count_thinking
from reasoner.traits import BackendTraits
from reasoner.types import Completion, Finish, Generation, Problem, Prompt, Sampling, Usage
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "1+2")


class Mute(Scripted):
    """A model that does not know the text of its tokens."""

    traits = BackendTraits()


def counted(text: str, tokens: int = 0, before: str = "", backend: Scripted | None = None) -> Usage:
    ids = tuple(map(ord, text)) if not tokens else (-1,) * tokens
    piece = Completion(text, ids, Finish.EOS)
    usage = Usage(1, 3, 0, len(ids), 7.0)
    prompt = Prompt(PROBLEM, before)
    again = count_thinking(Generation((piece, piece), usage + usage), prompt, backend or Scripted())
    assert replace(again.usage, thinking_tokens=0, thinking_estimated=0) == usage + usage
    return replace(again.usage, prompt_tokens=0, requests=0, flops=0.0)


@pytest.mark.parametrize(
    ("text", "before", "thinking"),
    [
        ("<think>abc</think>42", "", 18),
        ("<think>abc", "", 10),
        ("abc</think>42", "<think>x", 11),
        ("42", "<think>x</think>", 0),
        ("42", "", 0),
        ("a</think>5\n<think>bc", "", 18),
    ],
)
def test_a_character_is_a_token(text: str, before: str, thinking: int) -> None:
    assert counted(text, before=before).thinking_tokens == 2 * thinking
    assert counted(text, before=before).thinking_estimated == 0


def test_an_unknown_token_counts_by_its_share_of_the_text() -> None:
    usage = counted("<think>abc</think>42", tokens=10)
    assert (usage.thinking_tokens, usage.thinking_estimated) == (18, 18)
    assert counted("<think>abc</think>42", backend=Mute()).thinking_estimated == 36


def test_a_piece_that_is_all_thinking_needs_no_estimate() -> None:
    usage = counted("<think>abc", tokens=5)
    assert (usage.thinking_tokens, usage.thinking_estimated) == (10, 0)


def test_a_mark_that_was_shown_but_not_sampled_is_not_counted() -> None:
    text = "<think>\nabc</think>42"
    piece = Completion(text, tuple(map(ord, text[8:] + END)), Finish.EOS)
    generation = Generation((piece,), Usage(1, 3, 0, 14))
    again = count_thinking(generation, Prompt(PROBLEM), Scripted())
    assert again.usage.thinking_tokens == len("abc</think>")


def test_a_servers_own_count_stands() -> None:
    piece = Completion("<think>abc</think>42", (-1,) * 10, Finish.EOS)
    usage = Usage(1, 3, 0, 10, thinking_tokens=4)
    assert count_thinking(Generation((piece,), usage), Prompt(PROBLEM), Scripted()).usage == usage


def test_thinking_is_no_more_than_what_was_generated() -> None:
    assert not possible(Usage(completion_tokens=3, thinking_tokens=4))
    assert not possible(Usage(completion_tokens=3, thinking_tokens=1, thinking_estimated=2))
    ledger = Ledger()
    ledger.charge("generator", Usage(completion_tokens=3, thinking_tokens=2))
    assert ledger.spent.thinking_tokens == 2


@pytest.mark.parametrize("name", ["majority", "beam"])
async def test_the_ledger_tells_thinking_apart(name: str) -> None:
    text = "<think>\nfirst #5\n\nor #4\n\n</think>\n\n#3"
    result = await solve(
        PROBLEM, strategies.make(name, n=2), Scripted(reply=lambda p, _: (text + END).removeprefix(p.text)),
        verifier=None if name == "majority" else Verdict(),
        sampling=Sampling(max_tokens=80, stop=("\n\n",)),
    )  # fmt: skip
    thinking = text.index("\n\n#3")
    assert result.candidate and result.candidate.text == text
    if name == "majority":
        assert result.usage.thinking_tokens == result.generator.thinking_tokens == 2 * thinking
        assert result.usage.completion_tokens == 2 * len(text + END)
    else:
        answers = sum(n.completion.text == "#3" for n in result.trace if n.completion)
        spent = result.usage
        spread = sum(n.completion.text == "</think>\n\n" for n in result.trace if n.completion)
        outside = answers * len("#3" + END) + spread * len("\n\n")
        assert spent.completion_tokens - spent.thinking_tokens == outside > 0
