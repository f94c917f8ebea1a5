"""A chain made longer than the model would, or cut short."""

from __future__ import annotations

import random

import pytest
from pydantic import ValidationError

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget
from reasoner.errors import ConfigError
from reasoner.events import Result, Stopped
from reasoner.search.budget_forcing import BudgetForcing
from reasoner.solving import solve
from reasoner.traits import BackendTraits
from reasoner.types import Generation, Problem, Prompt, Sampling


def thinker(prompt: Prompt, _: random.Random) -> str:
    """Answers after ten tokens of thought; every `Wait` gives another answer."""
    if prompt.text.endswith("Answer:"):
        return f"forced{END}"
    if prompt.text.endswith("</think>"):
        return f"#0{END}"
    return "." * 10 + f"#{prompt.text.count('Wait')}{END}"


def reasoning(prompt: Prompt, _: random.Random) -> str:
    return f"thought{prompt.text.count('Wait')}</think>answer{prompt.text.count('Wait')}{END}"


async def force(
    strategy: BudgetForcing,
    backend: Scripted | None = None,
    budget: Budget = Budget(),
    longest: int = 400,
) -> Result:
    return await solve(
        Problem("p", "?"), strategy, backend or Scripted(reply=thinker),
        sampling=Sampling(max_tokens=longest), budget=budget,
    )  # fmt: skip


@pytest.mark.parametrize("n", [1, 3])
async def test_the_end_is_replaced_n_times(n: int) -> None:
    result = await force(BudgetForcing(n=n))
    text = "..........#0" + "".join(f"Wait..........#{i}" for i in range(1, n + 1))
    assert result.text == text
    assert result.candidate and result.candidate.complete
    assert result.answer is not None and result.answer.endswith(f"#{n}")
    assert result.stopped is Stopped.DONE


async def test_no_end_is_left_inside() -> None:
    result = await force(BudgetForcing(n=3))
    assert result.candidate
    ids = [i for c in result.candidate.completions for i in c.token_ids]
    assert ids.count(ord(END)) == 1 and ids[-1] == ord(END)


async def test_nothing_is_added_beyond_the_minimum() -> None:
    # Each round adds 16 tokens to the first 13, less one end.
    result = await force(BudgetForcing(n=9, minimum=25))
    assert result.text.count("Wait") == 1
    assert (await force(BudgetForcing(n=9, minimum=13))).text.count("Wait") == 0
    assert (await force(BudgetForcing(n=9, minimum=14))).text.count("Wait") == 1


async def test_thinking_is_cut_at_the_maximum() -> None:
    result = await force(BudgetForcing(n=4, maximum=5))
    assert result.text == ".....\n\nFinal Answer:forced"
    assert result.candidate and result.candidate.complete
    later = await force(BudgetForcing(n=4, maximum=20))
    assert later.text == "..........#0Wait....\n\nFinal Answer:forced"
    full = await force(BudgetForcing(n=4, maximum=16))
    assert full.text == "..........#0Wait\n\nFinal Answer:forced"


async def test_only_what_was_decoded_is_charged() -> None:
    backend = Scripted(reply=thinker)
    result = await force(BudgetForcing(n=2, maximum=20), backend)
    assert result.usage == backend.usage
    assert result.usage.completion_tokens == 13 + 4 + len("forced" + END)


async def test_a_marked_answer_goes_with_its_end() -> None:
    backend = Scripted(reply=reasoning)
    result = await force(BudgetForcing(n=2, end="</think>"), backend)
    assert result.text == "thought0Waitthought1Waitthought2</think>answer2"


@pytest.mark.parametrize("longest", [46, 48, 50])
async def test_the_longest_solution_ends_it_with_the_latest_answer(longest: int) -> None:
    result = await force(BudgetForcing(n=50), longest=longest)
    assert result.stopped is Stopped.DONE
    assert result.text == "..........#0Wait..........#1Wait..........#2"


async def test_a_small_budget_keeps_the_first_answer() -> None:
    result = await force(BudgetForcing(n=50), budget=Budget(tokens=20))
    assert result.text == "..........#0"
    assert result.usage.completion_tokens == 20


def test_a_maximum_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="maximum"):
        BudgetForcing(maximum=0)


def opened(prompt: Prompt, _: random.Random) -> str:
    """Think in marks, for long unless the thinking is closed."""
    if prompt.text.endswith("Answer:"):
        return f"forced{END}"
    return f"<think>{'.' * 40}</think>answer{prompt.text.count('Wait')}{END}".removeprefix(
        prompt.text
    )


async def test_a_cut_within_marks_closes_them_before_the_answer() -> None:
    result = await force(BudgetForcing(n=1, maximum=20), Scripted(reply=opened))
    assert result.text == "<think>" + "." * 13 + "\n</think>\n\nFinal Answer:forced"
    assert result.answer == "Final Answer:forced"


async def test_a_known_mark_begins_the_answer_that_is_removed() -> None:
    result = await force(BudgetForcing(n=1), Scripted(reply=reasoning))
    assert result.text == "thought0Waitthought1</think>answer1"
    assert result.answer == "answer1"


class Limiting(Scripted):
    """A model whose engine ends the thinking; it remembers the limits."""

    traits = BackendTraits(thinking_budget=True)

    def __init__(self) -> None:
        super().__init__(reply=reasoning)
        self.limits = list[int | None]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.limits.append(sampling.thinking_budget)
        return await super().generate(prompt, sampling)


async def test_the_engine_limits_the_thinking() -> None:
    backend = Limiting()
    result = await force(BudgetForcing(n=1, maximum=300, native=True), backend)
    assert backend.limits == [300, 300]
    assert result.answer == "answer1"


async def test_by_text_the_engine_limits_nothing() -> None:
    backend = Limiting()
    await force(BudgetForcing(n=1, maximum=300), backend)
    assert set(backend.limits) == {None}


async def test_an_engine_that_limits_no_thinking_is_refused_before_the_first_token() -> None:
    backend = Scripted(reply=reasoning)
    with pytest.raises(ConfigError, match=r"budget-forcing\(native=False\)"):
        await force(BudgetForcing(maximum=30, native=True), backend)
    assert backend.usage.requests == 0


def test_native_needs_a_maximum() -> None:
    with pytest.raises(ValidationError, match="set it"):
        BudgetForcing(native=True)
