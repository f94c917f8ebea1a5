"""GenSelect: the windows, the choices that are read, and the cost."""

from __future__ import annotations

import re
from dataclasses import replace
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Reply, Scripted
from reasoner.errors import BackendError, ConfigError
from reasoner.registry import verifiers
from reasoner.search.best_of_n import BestOfN
from reasoner.solving import solve
from reasoner.types import Candidate, Completion, Finish, Judgement, Problem, Prompt, Score, Usage
from reasoner.verifiers.genselect import GenSelect

PROBLEM = Problem("p", "Name a large number.")
NUMBERS = st.lists(st.integers(0, 999), unique=True, max_size=40)


def solution(text: str, complete: bool = True) -> Candidate:
    return Candidate((Completion(text, (1,), Finish.EOS),), complete)


def candidates(*numbers: int) -> list[Candidate]:
    return [solution(f"<{n}>") for n in numbers]


def shown(prompt: Prompt) -> list[int]:
    """Return the numbers among which a question has one chosen."""
    return [int(n) for n in re.findall(r"^<(\d+)>$", prompt.problem.prompt, re.MULTILINE)]


def largest(prompt: Prompt, _: Random) -> str:
    numbers = shown(prompt)
    return f"I compared them.\n\nJudgment: {numbers.index(max(numbers))}{END}"


def always(text: str) -> Reply:
    return lambda *_: text + END


def choosing(reply: Reply, **settings: int) -> tuple[GenSelect, Scripted]:
    model = Scripted(reply=reply)
    return GenSelect(model=model, **settings), model  # type: ignore[arg-type]


async def values(verifier: GenSelect, batch: list[Candidate]) -> list[float]:
    return [score.value for score in (await verifier.score(PROBLEM, batch)).scores]


# -- rounds ---------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(NUMBERS, st.integers(2, 9), st.integers(0, 3))
async def test_a_sound_judge_finds_the_best_of_any_batch(
    numbers: list[int], window: int, seed: int
) -> None:
    verifier, model = choosing(largest, window=window, seed=seed)
    scores = await values(verifier, candidates(*numbers))
    if len(numbers) > 1:
        assert scores[numbers.index(max(numbers))] == 1.0
        assert scores.count(1.0) == 1
    assert model.usage.requests == ceil((len(numbers) - 1) / (window - 1)) * (len(numbers) > 1)


@settings(max_examples=40)
@given(NUMBERS, st.randoms(use_true_random=False), st.booleans())
async def test_the_order_of_the_batch_changes_nothing(
    numbers: list[int], rng: Random, readable: bool
) -> None:
    verifier, _ = choosing(largest if readable else always("Hm."), window=4)
    mixed = rng.sample(numbers, len(numbers))
    scores = dict(zip(numbers, await values(verifier, candidates(*numbers)), strict=True))
    assert await values(verifier, candidates(*mixed)) == [scores[n] for n in mixed]


async def test_another_seed_shuffles_otherwise() -> None:
    async def order(seed: int) -> list[list[int]]:
        asked = list[list[int]]()

        def noting(prompt: Prompt, rng: Random) -> str:
            asked.append(shown(prompt))
            return largest(prompt, rng)

        await values(choosing(noting, seed=seed)[0], candidates(*range(8)))
        return asked

    assert await order(0) == await order(0) != await order(1)
    assert (await order(0))[0] != list(range(8))


async def test_the_later_a_candidate_falls_the_higher_its_score() -> None:
    verifier, _ = choosing(largest, window=2)
    scores = await values(verifier, candidates(*range(8)))
    assert scores[7] == 1.0
    assert sorted(scores) == pytest.approx([0, 0, 0, 0, 0.5, 0.5, 2 / 3, 1])


async def test_copies_take_part_once_and_share_a_score() -> None:
    verifier, model = choosing(largest)
    assert await values(verifier, candidates(5, 9, 5, 9)) == [0, 1, 0, 1]
    assert model.usage.requests == 1


# -- candidates -----------------------------------------------------------------------------------


async def test_unfinished_solutions_are_not_shown() -> None:
    verifier, model = choosing(largest, window=8)
    cut_off = solution("<999>", complete=False)
    thinking = solution("<think>\n<998>")
    assert await values(verifier, [cut_off, *candidates(1, 2), thinking]) == [0, 0, 1, 0]
    assert model.usage.requests == 1
    assert await values(replace(verifier, default=0.25), [cut_off, *candidates(1, 2)]) == [
        0.25,
        0,
        1,
    ]


async def test_only_the_text_after_the_thinking_is_shown() -> None:
    verifier, model = choosing(largest)
    batch = [solution(f"<think>\n<999>\n</think>\n<{n}>") for n in (1, 2, 2)]
    assert await values(verifier, batch) == [0, 1, 1]
    plain = await GenSelect(model=Scripted(reply=largest)).score(PROBLEM, batch)
    assert plain.usage == model.usage


async def test_who_is_alone_is_neither_good_nor_bad() -> None:
    verifier, _ = choosing(largest)
    for batch in (candidates(5), candidates(5, 5)):
        assert await verifier.score(PROBLEM, batch) == Judgement((Score(0.5),) * len(batch))
        assert verifier.estimate(PROBLEM, batch) == Usage()


# -- replies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        "Judgment: {}",
        "**Judgement:** {}.",
        "Judgment: 99? No:\njudgment: Solution {}",
        "My judgment is {}",
        "Judgment: \\boxed{{{}}}",
        "<think>Judgment: 99</think>The last step decides.\n\n{}",
    ],
)
async def test_a_choice_is_read(reply: str) -> None:
    def best(prompt: Prompt, _: Random) -> str:
        return reply.format(shown(prompt).index(9)) + END

    judgement = await choosing(best)[0].score(PROBLEM, candidates(3, 9, 4))
    assert [score.value for score in judgement.scores] == [0, 1, 0]
    assert judgement.malformed == 0


@pytest.mark.parametrize(
    "reply",
    ["", "Judgment: 3", "Judgment: -1", "Judgment: 1.5", "Judgment: " + "9" * 5000, "0 or 1"],
)
async def test_an_unreadable_choice_is_counted_and_some_candidate_goes_on(reply: str) -> None:
    verifier, _ = choosing(always(reply), votes=2)
    judgement = await verifier.score(PROBLEM, candidates(3, 9, 4))
    assert judgement.malformed == 2
    assert sorted(score.value for score in judgement.scores) == [0, 0, 1]
    assert judgement == await verifier.score(PROBLEM, candidates(3, 9, 4))


async def test_who_goes_on_by_chance_depends_on_the_seed() -> None:
    winners = set[int]()
    for seed in range(20):
        scores = await values(choosing(always("Hm."), seed=seed)[0], candidates(3, 9, 4))
        winners.add(scores.index(1))
    assert winners == {0, 1, 2}


async def test_the_most_frequent_vote_counts() -> None:
    replies = iter(["Judgment: 0", "Judgment: 2", "Hm.", "Judgment: 2"])
    verifier, _ = choosing(lambda *_: next(replies) + END, votes=4)
    seen = list[int]()
    noting, _ = choosing(lambda p, _: seen.extend(shown(p)) or END)  # type: ignore[func-returns-value]
    await values(noting, candidates(3, 9, 4))
    judgement = await verifier.score(PROBLEM, candidates(3, 9, 4))
    assert judgement.malformed == 1
    assert judgement.scores[[3, 9, 4].index(seen[2])].value == 1


async def test_a_window_beyond_the_context_is_chosen_from_by_chance() -> None:
    verifier = GenSelect(model=(model := Scripted(reply=largest, context=100)))
    judgement = await verifier.score(PROBLEM, candidates(1, 2))
    assert judgement.malformed == 1
    assert sum(score.value for score in judgement.scores) == 1
    assert model.usage == Usage()


# -- cost -----------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(
    numbers=st.lists(st.integers(0, 10**9), max_size=20),
    window=st.integers(2, 6),
    votes=st.integers(1, 3),
    context=st.sampled_from([0, 700, 10_000]),
    readable=st.booleans(),
)
async def test_the_estimate_is_never_passed(
    numbers: list[int], window: int, votes: int, context: int, readable: bool
) -> None:
    model = Scripted(reply=largest if readable else always("Hm."), context=context)
    verifier = GenSelect(model=model, window=window, votes=votes, max_tokens=40)
    batch = candidates(*numbers)
    worst = verifier.estimate(PROBLEM, batch)
    judgement = await verifier.score(PROBLEM, batch)
    assert judgement.usage == model.usage
    assert judgement.usage.requests <= worst.requests
    assert judgement.usage.prompt_tokens <= worst.prompt_tokens
    assert judgement.usage.completion_tokens <= worst.completion_tokens
    assert judgement.usage.flops <= worst.flops


@pytest.mark.parametrize(("count", "window"), [(2, 2), (8, 8), (9, 8), (20, 8), (16, 3)])
async def test_the_estimate_is_exact_where_solutions_and_replies_are_as_long(
    count: int, window: int
) -> None:
    reply = "Judgment: 1"
    verifier, model = choosing(always(reply), window=window, max_tokens=len(reply + END))
    batch = candidates(*range(10, 10 + count))
    worst = verifier.estimate(PROBLEM, batch)
    await verifier.score(PROBLEM, batch)
    assert worst == replace(model.usage, cached_tokens=0, flops=worst.flops)
    assert worst.requests == ceil((count - 1) / (window - 1))


async def test_a_failing_question_ends_the_choice() -> None:
    model = Scripted(reply=largest, fail_every=2)
    with pytest.raises(BackendError, match="failure of request 2"):
        await GenSelect(model=model, window=2).score(PROBLEM, candidates(1, 2, 3, 4))
    assert model.running == 0


@pytest.mark.parametrize("setting", ["window=1", "prompt='{problem}'", "window='many'"])
def test_a_wrong_setting_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match="genselect"):
        verifiers.make(f"genselect({setting})")


async def test_the_best_choice_of_a_search_is_its_answer() -> None:
    def reply(prompt: Prompt, rng: Random) -> str:
        solving = prompt.problem == PROBLEM
        return f"<{rng.randint(0, 99)}>{END}" if solving else largest(prompt, rng)

    model = Scripted(reply=reply)
    result = await solve(PROBLEM, BestOfN(n=12), model, GenSelect(window=5))
    texts = [solution.candidate.text for solution in result.candidates]
    assert result.answer == max(texts, key=lambda text: int(text[1:-1]))
    assert result.usage == model.usage
