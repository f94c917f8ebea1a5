"""Tournaments: winners, the order of pairs, and the cost."""

from __future__ import annotations

import re
from itertools import permutations
from math import comb
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Scripted
from reasoner.errors import BackendError
from reasoner.search.best_of_n import BestOfN
from reasoner.solving import solve
from reasoner.types import Candidate, Completion, Finish, Judgement, Problem, Prompt, Score, Usage
from reasoner.verifiers.tournament import Tournament

PROBLEM = Problem("p", "Name a large number.")
FORMS = ("knockout", "round-robin")


def candidates(*numbers: int) -> list[Candidate]:
    return [Candidate((Completion(f"<{n}>", (n,), Finish.EOS),), complete=True) for n in numbers]


def shown(prompt: Prompt) -> tuple[int, int]:
    """The numbers that a question compares."""
    first, second = re.findall(r"<(\d+)>", prompt.problem.prompt)
    return int(first), int(second)


def larger(prompt: Prompt, _: Random) -> str:
    """An impartial judge, who likes large numbers."""
    first, second = shown(prompt)
    return f"I looked at both.\n\nBetter: {'A' if first > second else 'B'}{END}"


def saying(text: str) -> Scripted:
    return Scripted(reply=lambda *_: text + END)


async def held(tournament: Tournament, *numbers: int) -> Judgement:
    return await tournament.score(PROBLEM, candidates(*numbers))


def values(judgement: Judgement) -> list[float]:
    return [score.value for score in judgement.scores]


# -- forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
async def test_in_a_round_robin_the_order_changes_nothing(order: tuple[int, ...]) -> None:
    told = await held(Tournament("round-robin", model=Scripted(reply=larger)), *order)
    assert values(told) == [{1: 0.0, 2: 0.5, 3: 1.0}[n] for n in order]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 99), unique=True, min_size=2, max_size=17))
async def test_a_knockout_has_one_champion_and_it_is_the_best(numbers: list[int]) -> None:
    told = values(await held(Tournament(model=(model := Scripted(reply=larger))), *numbers))
    assert told[numbers.index(max(numbers))] == 1.0
    assert sum(value == 1.0 for value in told) == 1
    assert model.usage.requests == 2 * (len(numbers) - 1)


async def test_in_a_knockout_the_later_a_candidate_falls_the_higher_its_score() -> None:
    told = await held(Tournament(model=Scripted(reply=larger)), 1, 8, 2, 7, 3, 6, 4, 5)
    assert values(told) == [0, 1, 0, 0.5, 0, 2 / 3, 0, 0.5]


@pytest.mark.parametrize("form", FORMS)
async def test_copies_take_part_once(form: str) -> None:
    model = Scripted(reply=larger)
    told = await held(Tournament(form, model=model), 5, 9, 5, 9)  # type: ignore[arg-type]
    assert values(told) == [0.0, 1.0, 0.0, 1.0]
    assert model.usage.requests == 2


@pytest.mark.parametrize("form", FORMS)
async def test_who_is_alone_is_neither_good_nor_bad(form: str) -> None:
    tournament = Tournament(form, model=Scripted(reply=larger))  # type: ignore[arg-type]
    assert await held(tournament, 5) == Judgement((Score(0.5),))
    assert await held(tournament, 5, 5) == Judgement((Score(0.5), Score(0.5)))
    assert tournament.estimate(PROBLEM, candidates(5)) == Usage()


# -- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["A", "B"])
async def test_a_judge_who_looks_at_the_place_only_decides_nothing(place: str) -> None:
    told = await held(Tournament("round-robin", model=saying(f"Better: {place}")), 1, 2, 3)
    assert values(told) == [0.5, 0.5, 0.5]
    assert told.malformed == 0


async def test_a_tie_goes_to_the_one_listed_first() -> None:
    assert values(await held(Tournament(model=saying("Better: tie")), 1, 2)) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Better: {}", 1.0),
        ("**Better:** {}.", 1.0),
        ("Better: Solution {}, by far", 1.0),
        ("The winner is {}", 1.0),
        ("My verdict: [[{}]]", 1.0),
        ("Both are fine in their way.\n\n[[{}]]", 1.0),
        ("Better: A? Better: B? In the end:\nBetter: {}", 1.0),
        ("Better: tie", 0.5),
        ("The verdict is a tie.", 0.5),
    ],
)
async def test_a_verdict_is_read(reply: str, value: float) -> None:
    def better(prompt: Prompt, _: Random) -> str:
        first, second = shown(prompt)
        return reply.format("A" if first > second else "B") + END

    told = await held(Tournament("round-robin", model=Scripted(reply=better)), 9, 1)
    assert values(told) == [value, 1 - value]
    assert told.malformed == 0


@pytest.mark.parametrize("reply", ["", "Better: C", "Better: a careful one", "A is better", "AB"])
async def test_malformed_verdicts_are_ties_and_counted(reply: str) -> None:
    told = await held(Tournament("round-robin", model=saying(reply), votes=3), 1, 2)
    assert values(told) == [0.5, 0.5]
    assert told.malformed == 6


async def test_one_order_that_can_be_read_still_counts() -> None:
    def half(prompt: Prompt, rng: Random) -> str:
        return larger(prompt, rng) if shown(prompt) == (9, 1) else "Hm." + END

    told = await held(Tournament("round-robin", model=Scripted(reply=half)), 1, 9)
    assert values(told) == [0.25, 0.75]
    assert told.malformed == 1


# -- cost -----------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    form=st.sampled_from(FORMS),
    numbers=st.lists(st.integers(0, 10**9), max_size=9),
    votes=st.integers(1, 3),
    context=st.sampled_from([0, 700, 10_000]),
)
async def test_the_estimate_is_never_passed_whoever_wins(
    form: str, numbers: list[int], votes: int, context: int
) -> None:
    model = Scripted(reply=larger, context=context)
    tournament = Tournament(form, model=model, votes=votes, max_tokens=40)  # type: ignore[arg-type]
    batch = candidates(*numbers)
    for size in range(len(batch) + 1):
        worst = tournament.estimate(PROBLEM, batch[:size])
    told = await tournament.score(PROBLEM, batch)
    assert told.usage == model.usage
    assert told.usage.requests <= worst.requests
    assert told.usage.prompt_tokens <= worst.prompt_tokens
    assert told.usage.completion_tokens <= worst.completion_tokens
    assert told.usage.flops <= worst.flops


@pytest.mark.parametrize(("form", "matches"), [("knockout", 11), ("round-robin", comb(12, 2))])
async def test_requests_are_two_a_match(form: str, matches: int) -> None:
    tournament = Tournament(form, model=Scripted(reply=larger))  # type: ignore[arg-type]
    told = await held(tournament, *range(12))
    worst = tournament.estimate(PROBLEM, candidates(*range(12)))
    assert told.usage.requests == worst.requests == 2 * matches


async def test_a_failing_match_ends_the_tournament() -> None:
    model = Scripted(reply=larger, fail_every=3)
    with pytest.raises(BackendError, match="failure of request 3"):
        await held(Tournament(model=model), 1, 2, 3, 4)
    assert model.running == 0


async def test_the_champion_of_a_search_is_its_answer() -> None:
    def reply(prompt: Prompt, rng: Random) -> str:
        solving = prompt.problem == PROBLEM
        return f"<{rng.randint(0, 99)}>{END}" if solving else larger(prompt, rng)

    result = await solve(PROBLEM, BestOfN(n=9), model := Scripted(reply=reply), Tournament())
    assert result.answer == max((s.candidate.text for s in result.candidates), key=len_and_text)
    assert result.usage == model.usage


def len_and_text(text: str) -> tuple[int, str]:
    return len(text), text
