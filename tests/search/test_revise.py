"""Revisions cut before the weakest step, or asked for, and chosen among all attempts."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget
from reasoner.events import AnswerOffered, Event, Result
from reasoner.search.revise import Revise
from reasoner.solving import solve
from reasoner.types import Candidate, Generation, Judgement, Problem, Prompt, Sampling, Score, Usage
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "1+2+3+4+5+6")
SAMPLING = Sampling(stop=("\n",), max_tokens=100)


async def revise(
    strategy: Revise, backend: Scripted | None = None, *, scored: bool = True, tokens: int = 10_000
) -> Result:
    verifier = Verdict("last") if scored else None
    return await solve(
        PROBLEM, strategy, backend or Scripted(), verifier,
        sampling=SAMPLING, budget=Budget(tokens=tokens),
    )  # fmt: skip


def letters(prompt: Prompt, rng: random.Random) -> str:
    written = prompt.text.count("\n")
    return "".join(rng.choice("abc") + "\n" for _ in range(4 - written)) + END


def second_is_bad(prompt: Prompt, step: str) -> float:
    return 0.1 if (prompt.text + step).count("\n") == 2 else 0.9


@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize(("n", "length"), [(1, 4), (7, 2), (8, 4), (5, 9)])
async def test_n_solutions_in_all(n: int, length: int, scored: bool) -> None:
    result = await revise(Revise(n=n, length=length), scored=scored)
    assert len(result.candidates) == n


async def test_the_ratio_decides_how_many_chains_start() -> None:
    assert Revise(n=16, length=4).lengths() == [4, 4, 4, 4]
    assert Revise(n=7, length=2).lengths() == [2, 2, 2, 1]
    assert Revise(n=2, length=8).lengths() == [2]
    backend = Scripted(reply=letters, judge=second_is_bad)
    for length, chains in ((8, 1), (2, 4), (1, 8)):
        result = await revise(Revise(n=8, length=length), backend)
        assert len(result.trace.children(result.trace.root)) == chains


async def test_a_revision_goes_on_from_before_the_weakest_step() -> None:
    backend = Scripted(reply=letters, judge=second_is_bad)
    result = await revise(Revise(n=5, length=5), backend)
    [first] = result.trace.children(result.trace.root)
    assert len(result.trace.children(first)) == 5
    assert all(len(result.trace.children(n)) <= 1 for n in result.trace if n.depth >= 2)


async def test_without_step_scores_the_step_is_drawn() -> None:
    backend = Scripted(reply=letters)
    result = await revise(Revise(n=40, length=40), backend, scored=False)
    widened = {n.depth for n in result.trace if len(result.trace.children(n)) > 1}
    assert {0, 1, 2} <= widened


def worsening(prompt: Prompt, rng: random.Random) -> str:
    """Right at first, then ever worse."""
    return f"good\n{END}" if not prompt.problem.prompt.count("Attempt") else f"bad\n{END}"


def by_word(prompt: Prompt, step: str) -> float:
    return 0.9 if "good" in step else 0.2


async def test_the_verifier_keeps_what_a_revision_spoils() -> None:
    backend = Scripted(reply=worsening, judge=by_word)
    result = await revise(Revise(n=4, length=4, how="ask"), backend)
    assert result.text == "good\n"
    assert [s.candidate.text for s in result.candidates] == ["good\n", *["bad\n"] * 3]
    majority = await revise(Revise(n=4, length=4, how="ask"), backend, scored=False)
    assert majority.text == "bad\n"


class Heard(Scripted):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(reply=lambda p, _: f"{len(self.prompts)}\n{END}", judge=by_word)
        self.prompts = list[str]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.prompts.append(prompt.problem.prompt)
        return await super().generate(prompt, sampling)


async def test_the_model_is_shown_the_latest_attempts() -> None:
    backend = Heard()
    result = await revise(Revise(n=6, length=6, how="ask", context=2), backend)
    assert backend.prompts[0] == PROBLEM.prompt
    for i, prompt in enumerate(backend.prompts[1:], start=1):
        assert prompt.startswith(PROBLEM.prompt)
        shown = [int(line) for line in prompt.split("\n") if line.isdecimal()]
        assert shown == [*range(1, i + 1)][-2:]
    assert len(result.candidates) == 6
    assert result.usage == backend.usage


async def test_an_asked_solution_costs_what_the_ledger_says() -> None:
    backend = Heard()
    result = await revise(Revise(n=3, length=3, how="ask"), backend)
    nodes = [n for n in result.trace if n.completion]
    assert sum(n.length for n in nodes) == result.usage.completion_tokens
    assert [n.spent for n in nodes] == [3, 6, 9]


class Counting:
    """Scores nothing but counts; weights make the vote."""

    def __init__(self, weights: dict[str, float]) -> None:
        self.weights = weights

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        return Judgement(tuple(Score(self.weights[c.text.strip()]) for c in candidates))


async def test_a_vote_weighs_scores() -> None:
    backend = Scripted(reply=worsening, judge=by_word)
    for bad, text in ((0.2, "bad\n"), (0.1, "good\n")):
        verifier = Counting({"good": 0.5, "bad": bad})
        for choose, chosen in (("best", "good\n"), ("vote", text)):
            strategy = Revise(n=4, length=4, how="ask", choose=choose)  # type: ignore[arg-type]
            result = await solve(PROBLEM, strategy, backend, verifier, sampling=SAMPLING)
            assert result.text == chosen


class OnceGood:
    """Writes `a` in its first solution of three steps and an end, then `b`."""

    calls = 0

    def __call__(self, prompt: Prompt, _: random.Random) -> str:
        self.calls += 1
        letter = "a\n" if self.calls <= 4 else "b\n"
        return letter * (3 - prompt.text.count("\n")) + END


def second_then_third(prompt: Prompt, step: str) -> float:
    """The second step is the weakest of the good solution, the third one of all others."""
    text = prompt.text + step
    if "b" in text:
        return 0.05 if text.count("\n") == 3 and text.endswith("\n") else 0.2
    return 0.1 if text.count("\n") == 2 else 0.9


async def test_a_chain_goes_on_from_its_best_solution() -> None:
    backend = Scripted(reply=OnceGood(), judge=second_then_third)
    result = await revise(Revise(n=4, length=4), backend)
    widened = [n.depth for n in result.trace if len(result.trace.children(n)) > 1]
    assert widened == [1] and result.text == "a\na\na\n"


async def test_the_answer_at_any_time_is_the_best_so_far() -> None:
    offered = list[Event]()
    await solve(
        PROBLEM, Revise(n=4, length=4, how="ask"), Scripted(reply=worsening, judge=by_word),
        Verdict("last"), sampling=SAMPLING, listen=offered.append,
    )  # fmt: skip
    assert [e.candidate.text for e in offered if isinstance(e, AnswerOffered)] == ["good\n"]
