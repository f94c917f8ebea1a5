"""Only the first to finish vote; the rest is aborted and charged what it generated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from reasoner.backends.scripted import END, Scripted, cut_off
from reasoner.base import Halt
from reasoner.budget import Budget
from reasoner.errors import ConfigError
from reasoner.events import Result
from reasoner.search.short_m import ShortM
from reasoner.solving import solve
from reasoner.testing import conformance
from reasoner.traits import BackendTraits
from reasoner.types import Completion, Finish, Generation, Problem, Prompt, Sampling

PROBLEM = Problem("p", "?")

TestWatched = conformance(lambda n=8: ShortM(n=n, m=5))


class Token(Scripted):
    """A model that takes one turn of the event loop for each token, so that shorter samples end earlier."""

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        whole = self._sample(prompt, sampling, 0)
        self.running += 1
        size = len(whole.token_ids)
        for i in range(1, size + 1):
            await asyncio.sleep(0)
            if halt(()) and i < size:
                whole = cut_off(whole, i)
                break
        self.running -= 1
        spent = self._decoding(prompt, (whole,))
        spent = replace(spent, requests=1, prompt_tokens=self.prompt_length(prompt))
        self.usage += spent
        return Generation((whole,), spent)


async def race(
    solutions: Iterable[str], m: int = 3, n: int = 8, budget: Budget = Budget(), **sampling: Any
) -> Result:
    rest = iter(solutions)
    backend = Token(reply=lambda *_: next(rest) + END)
    result = await solve(
        PROBLEM, ShortM(n=n, m=m), backend, budget=budget, sampling=Sampling(**{"max_tokens": 400, **sampling}),
    )  # fmt: skip
    assert backend.running == 0
    spent = result.usage
    assert replace(spent, thinking_tokens=0, thinking_estimated=0) == backend.usage
    return result


def thought(length: int, answer: str) -> str:
    return f"<think>{'.' * length}</think>\n{answer}"


def ends(result: Result) -> Sequence[tuple[Finish, int]]:
    pieces: list[Completion] = [n.completion for n in result.trace if n.completion]
    return [(p.finish, len(p.token_ids)) for p in pieces]


async def test_the_first_to_finish_vote_and_the_rest_is_aborted() -> None:
    result = await race(
        [thought(size, a) for size, a in [(200, "x"), (10, "a"), (30, "b"), (20, "b"), (150, "a")]],
        n=5,
    )
    assert result.answer == "b"
    assert [s.answer for s in result.candidates] == ["a", "b", "b"]
    aborted = [size for finish, size in ends(result) if finish is Finish.ABORTED]
    assert len(aborted) == 2
    longest = len(thought(30, "b")) + 1
    assert all(longest <= size < longest + 40 for size in aborted)


async def test_a_tie_goes_to_the_shortest_thinking() -> None:
    result = await race([thought(40, "a"), thought(10, "b"), thought(90, "c")], m=2, n=3)
    assert result.answer == "b"


async def test_a_sample_without_an_answer_is_waited_past() -> None:
    result = await race(
        ["<think>hm", thought(20, "a"), thought(30, "a"), thought(300, "b")], m=2, n=4
    )
    assert result.answer == "a"
    assert [s.answer for s in result.candidates] == [None, "a", "a"]


async def test_without_marks_the_shortest_solutions_vote() -> None:
    result = await race(["..........1", "...2", "....2", "." * 100 + "1"], m=3, n=4, max_tokens=60)
    assert {s.answer for s in result.candidates} == {"..........1", "...2", "....2"}


async def test_thinking_is_counted_for_finished_and_aborted_samples() -> None:
    result = await race([thought(10, "a"), thought(300, "b")], m=1, n=2)
    [_, (finish, size)] = ends(result)
    assert finish is Finish.ABORTED
    assert result.usage.thinking_tokens == len("<think></think>") + 10 + size
    assert result.usage.thinking_estimated == 0


async def test_fewer_samples_than_m_are_all_counted() -> None:
    result = await race([thought(10, "a"), thought(20, "a"), thought(5, "b")], m=9, n=3)
    assert result.answer == "a"


async def test_two_runs_are_equal() -> None:
    runs = [await solve(Problem("p", "1+2+3"), ShortM(n=6), Scripted(), seed=3) for _ in range(2)]
    assert runs[0].trace.to_json() == runs[1].trace.to_json()


async def test_a_backend_that_cannot_be_watched_is_refused() -> None:
    class Unwatched(Scripted):
        traits = BackendTraits()

    with pytest.raises(ConfigError, match="watches samples as they grow"):
        await solve(PROBLEM, ShortM(), Unwatched())
