"""Tournaments: winners, the order of pairs, and the cost."""

from __future__ import annotations

import re
from collections import Counter
from itertools import permutations
from math import comb
from random import Random
from statistics import fmean

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Scripted
from reasoner.errors import BackendError
from reasoner.search.best_of_n import BestOfN
from reasoner.solving import solve
from reasoner.types import Candidate, Completion, Finish, Judgement, Problem, Prompt, Score, Usage
from reasoner.verifiers.common.swiss import matches
from reasoner.verifiers.tournament import Tournament, rated

PROBLEM = Problem("p", "Name a large number.")
FORMS = ("knockout", "round-robin", "swiss")


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


@settings(max_examples=50)
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


@settings(max_examples=40)
@given(
    numbers=st.lists(st.integers(0, 99), unique=True, min_size=2, max_size=14),
    degree=st.integers(1, 4),
    rounds=st.integers(1, 15),
    seed=st.integers(0, 3),
)
async def test_a_swiss_tournament_pairs_nobody_twice_and_connects_all(
    numbers: list[int], degree: int, rounds: int, seed: int
) -> None:
    met = Counter[tuple[int, int]]()

    def noting(prompt: Prompt, rng: Random) -> str:
        met[shown(prompt)] += 1
        return larger(prompt, rng)

    model = Scripted(reply=noting)
    tournament = Tournament("swiss", degree=degree, rounds=rounds, seed=seed, model=model)
    judgement = await held(tournament, *numbers)
    pairs = {frozenset(pair) for pair in met}
    graph = nx.Graph(map(tuple, pairs))
    assert set(met.values()) == {1}, "each order of each pair is asked about once"
    assert len(met) == 2 * len(pairs) == model.usage.requests
    assert set(graph) == set(numbers) and nx.is_connected(graph)
    assert min(d for _, d in graph.degree) >= min(degree, len(numbers) - 1)
    assert len(pairs) == matches(len(numbers), degree, rounds)
    assert values(judgement)[numbers.index(max(numbers))] == 1.0


@settings(max_examples=20)
@given(st.permutations(range(9)))
async def test_in_a_swiss_tournament_the_order_changes_nothing(numbers: list[int]) -> None:
    scores = values(await held(Tournament("swiss", model=Scripted(reply=larger)), *range(9)))
    mixed = values(await held(Tournament("swiss", model=Scripted(reply=larger)), *numbers))
    assert mixed == [scores[n] for n in numbers]


async def test_in_a_swiss_tournament_equals_meet() -> None:
    gaps = list[int]()

    def noting(prompt: Prompt, rng: Random) -> str:
        first, second = shown(prompt)
        gaps.append(abs(first - second))
        return larger(prompt, rng)

    await held(Tournament("swiss", rounds=8, model=Scripted(reply=noting)), *range(32))
    start, last = gaps[: 2 * 32], gaps[-32:]
    assert fmean(last) < 0.7 * fmean(start)


@pytest.mark.parametrize("form", FORMS)
async def test_who_is_alone_is_neither_good_nor_bad(form: str) -> None:
    tournament = Tournament(form, model=Scripted(reply=larger))  # type: ignore[arg-type]
    assert await held(tournament, 5) == Judgement((Score(0.5),))
    assert await held(tournament, 5, 5) == Judgement((Score(0.5), Score(0.5)))
    assert tournament.estimate(PROBLEM, candidates(5)) == Usage()


# -- ratings and margins --------------------------------------------------------------------------


def rating(prompt: Prompt, _: Random) -> str:
    """A judge who rates a number as highly as it is large."""
    first, second = shown(prompt)
    return f"I looked at both.\n\nRatings: A={first}, B={second}{END}"


async def test_a_rating_is_won_by_its_lead() -> None:
    tournament = Tournament("round-robin", asks="ratings", model=Scripted(reply=rating))
    assert values(await held(tournament, 10, 1)) == [1, 0]
    assert values(await held(tournament, 4, 7)) == pytest.approx([1 / 3, 2 / 3])
    assert values(await held(tournament, 5, 5)) == [0.5, 0.5]


async def test_a_swiss_match_has_the_weight_of_its_margin() -> None:
    """Nine beats ten by a point, ten beats one by nine; ties of equal numbers hardly count."""

    def odd(prompt: Prompt, rng: Random) -> str:
        ratings = {(9, 10): (6, 5), (10, 9): (5, 6), (9, 1): (1, 2), (1, 9): (2, 1)}
        first, second = ratings.get(shown(prompt), shown(prompt))
        return f"Ratings: A={first}, B={second}{END}"

    tournament = Tournament("swiss", asks="ratings", model=Scripted(reply=odd))
    scores = values(await held(tournament, 9, 10, 1))
    assert scores == pytest.approx([1 / 2, 9 / 10, 1 / 10])


async def test_a_match_without_a_margin_has_little_weight() -> None:
    def first_beats(prompt: Prompt, rng: Random) -> str:
        return "Better: tie" + END if 1 in shown(prompt) else larger(prompt, rng)

    scores = values(await held(Tournament("swiss", model=Scripted(reply=first_beats)), 1, 2, 3))
    assert scores == pytest.approx([0.5, 0.05 / 1.1, 1.05 / 1.1])


@pytest.mark.parametrize(
    ("reply", "share"),
    [
        ("Ratings: A=10, B=1", 1),
        ("**Ratings:** A = 10; B = 1.", 1),
        ("Rating: A: 1, B: 10", 0),
        ("Ratings: A=3, B=9? No.\nRatings: A=4 and B=4", 0.5),
        ("Both.\n\nA=1, B=10", 0),
        ("Ratings: A=11, B=1", None),
        ("Ratings: A=0, B=1", None),
        ("Ratings: A=7.5, B=1", None),
        ("Ratings: A=7", None),
        ("Better: A", None),
    ],
)
async def test_ratings_are_read(reply: str, share: float | None) -> None:
    assert rated(Completion(reply, (), Finish.EOS)) == share
    tournament = Tournament(asks="ratings", model=saying(reply))
    assert (await held(tournament, 1, 2)).malformed == (2 if share is None else 0)


# -- the ends first -------------------------------------------------------------------------------


def long(number: int, end: str = "") -> Candidate:
    text = f"<{number}>{'.' * 200}{end or f'<{number}>'}"
    return Candidate((Completion(text, (number,), Finish.EOS),), complete=True)


def by_first_line(prompt: Prompt, rng: Random) -> str:
    """A judge who sees the larger number, and a tie where the ends show none."""
    first, second = re.findall(r"Solution [AB]:\n(.*(?:\n.+)?)", prompt.problem.prompt)
    numbers = [re.search(r"<(\d+)>", text) for text in (first, second)]
    if not all(numbers):
        return "Better: tie" + END
    a, b = (int(number[1]) for number in numbers if number)
    return f"Better: {'A' if a > b else 'B'}{END}"


@pytest.mark.parametrize("form", FORMS)
async def test_whole_solutions_are_not_read_where_their_ends_decide(form: str) -> None:
    async def judged(ends: int) -> tuple[list[float], Usage]:
        model = Scripted(reply=by_first_line)
        tournament = Tournament(form, ends=ends, model=model)  # type: ignore[arg-type]
        return values(await tournament.score(PROBLEM, list(map(long, range(6))))), model.usage

    (whole, all_tokens), (scores, tokens) = await judged(0), await judged(10)
    assert scores == whole
    assert tokens.requests == all_tokens.requests
    assert all_tokens.prompt_tokens - tokens.prompt_tokens > 300 * tokens.requests


@pytest.mark.parametrize("form", FORMS)
async def test_whole_solutions_are_read_where_their_ends_do_not_decide(form: str) -> None:
    batch = [long(n, "the end") for n in range(6)]
    counts = dict[int, int]()
    for ends in (0, 10):
        model = Scripted(reply=by_first_line)
        tournament = Tournament(form, ends=ends, model=model)  # type: ignore[arg-type]
        assert values(await tournament.score(PROBLEM, batch))[5] == 1.0
        counts[ends] = model.usage.requests
    # Ends that are alike make one question, which is asked once a round.
    assert counts[0] < counts[10] <= 2 * counts[0]


async def test_solutions_shorter_than_their_end_are_shown_once() -> None:
    model = Scripted(reply=lambda *_: "Better: tie" + END)
    await held(Tournament(ends=10, model=model), 1, 2)
    assert model.usage.requests == 2


async def test_a_clear_margin_is_what_the_setting_says() -> None:
    def close(prompt: Prompt, _: Random) -> str:
        return f"Ratings: A={7 if shown(prompt)[0] else 4}, B={4 if shown(prompt)[0] else 7}{END}"

    asked = dict[float, int]()
    for clear in (1 / 4, 1 / 2):
        model = Scripted(reply=close)
        tournament = Tournament(asks="ratings", ends=12, clear=clear, model=model)
        await tournament.score(PROBLEM, [Candidate((c,), True) for c in padded(0, 1)])
        asked[clear] = model.usage.requests
    assert asked == {1 / 4: 2, 1 / 2: 4}


def padded(*numbers: int) -> list[Completion]:
    return [Completion(f"{'.' * 99}<{n}>", (n,), Finish.EOS) for n in numbers]


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


@settings(max_examples=50)
@given(
    form=st.sampled_from(FORMS),
    numbers=st.lists(st.integers(0, 10**9), max_size=9),
    votes=st.integers(1, 3),
    context=st.sampled_from([0, 700, 10_000]),
    ends=st.sampled_from([0, 14, 60]),
    decided=st.booleans(),
)
async def test_the_estimate_is_never_passed_whoever_wins(
    form: str, numbers: list[int], votes: int, context: int, ends: int, decided: bool
) -> None:
    model = Scripted(reply=larger if decided else lambda *_: "Hm." + END, context=context)
    tournament = Tournament(form, model=model, votes=votes, max_tokens=40, ends=ends)  # type: ignore[arg-type]
    batch = [Candidate((c,), True) for c in padded(*numbers)]
    for size in range(len(batch) + 1):
        worst = tournament.estimate(PROBLEM, batch[:size])
    told = await tournament.score(PROBLEM, batch)
    assert told.usage == model.usage
    assert told.usage.requests <= worst.requests
    assert told.usage.prompt_tokens <= worst.prompt_tokens
    assert told.usage.completion_tokens <= worst.completion_tokens
    assert told.usage.flops <= worst.flops


@pytest.mark.parametrize(
    ("form", "matches"), [("knockout", 11), ("round-robin", comb(12, 2)), ("swiss", 36)]
)
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
