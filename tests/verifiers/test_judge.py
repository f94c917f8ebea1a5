"""Grades a judge gives, and what all verifiers that ask a model share: lending, cost, refusals."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.api import Reasoner
from reasoner.backends.scripted import END, Scripted, add_up
from reasoner.budget import VERIFIER, Budget
from reasoner.errors import ConfigError
from reasoner.registry import Registry
from reasoner.search.best_of_n import BestOfN
from reasoner.solving import solve
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    Generation,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Score,
    Usage,
)
from reasoner.verifiers.common.llm_judge import filled, said, stated
from reasoner.verifiers.judge import Judge

PROBLEM = Problem("p", "1+2+3")
VERIFIERS = Registry("verifier", "none", {"judge": "reasoner.verifiers.judge:Judge"})


def solution(text: str = "1+2=3\n3+3=6\n#6") -> Candidate:
    return Candidate((Completion(text, tuple(map(ord, text)), Finish.EOS),), complete=True)


def saying(*replies: str, context: int = 0) -> Scripted:
    """A model that gives these replies, one after the other, and the last one ever after."""
    left = list(replies)

    def reply(_: Prompt, __: Random) -> str:
        return (left.pop(0) if len(left) > 1 else left[0]) + END

    return Scripted(reply=reply, context=context)


def noisy(context: int = 0) -> Scripted:
    """A model that grades at random, and says no grade now and then."""
    return Scripted(
        reply=lambda _, rng: rng.choice([f"Grade: {rng.randint(1, 10)}", "Well."]) + END,
        context=context,
    )


async def judged(judge: Judge, *candidates: Candidate) -> Judgement:
    return await judge.score(PROBLEM, candidates or [solution()])


# -- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Grade: 10", 1.0),
        ("Grade: 1", 0.0),
        ("The sums add up.\n\nGrade: 7", 6 / 9),
        ("**Grade:** 7", 6 / 9),
        ("### Grade: **7/10**", 6 / 9),
        ("Grade: **7** / 10.", 6 / 9),
        ("grade = 7 out of 10", 6 / 9),
        ('{"reason": "fine", "grade": 7}', 6 / 9),
        ("The final grade is $\\boxed{7}$.", 6 / 9),
        ("Score: [[7]]", 6 / 9),
        ("Grade: (7)", 6 / 9),
        ("Grade: 7 (of ten)", 6 / 9),
        ("Grade: 5.5", 0.5),
        ("All is well.\n7", 6 / 9),
        ("7.", 6 / 9),
        ("First I thought Grade: 2.\nOn reflection:\nGrade: 7", 6 / 9),
        ("<think>Grade: 2, or Grade: 3?</think>Grade: 7", 6 / 9),
        ("Grade: 7\nI hope this helps!", 6 / 9),
    ],
)
async def test_a_grade_is_read(reply: str, value: float) -> None:
    told = await judged(Judge(model=saying(reply)))
    assert told.scores[0].value == pytest.approx(value)
    assert told.malformed == 0


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "It is right.",
        "Grade: excellent",
        "Grade: 11",
        "Grade: 0",
        "Grade: -3",
        "Grade: 70/100",
        "Grade: 6-8",
        "Grade: 1 to 10",
        "Grade: between 6 and 8",
        "The answer is 7, so 3/10 remain.",
        "<think>Grade: 7, but let me see",
        "a grade 5 problem",
    ],
)
async def test_a_malformed_grade_is_dropped_and_counted(reply: str) -> None:
    told = await judged(Judge(model=saying(reply), default=0.25))
    assert told.scores == (Score(0.25),)
    assert told.malformed == 1


async def test_a_number_that_the_limit_cut_in_two_is_no_grade() -> None:
    told = await judged(Judge(model=saying("Grade: 10"), max_tokens=len("Grade: 1")))
    assert told.malformed == 1


async def test_votes_are_averaged_and_malformed_ones_dropped() -> None:
    model = saying("Grade: 10", "no idea", "Grade: 1", "Grade: 1")
    told = await judged(Judge(model=model, votes=4))
    assert told.scores[0].value == pytest.approx(1 / 3)
    assert told.malformed == 1
    assert model.usage.requests == 1


@pytest.mark.parametrize("highest", [3, 100])
async def test_grades_have_the_scale_that_was_asked_for(highest: int) -> None:
    told = await judged(Judge(model=saying(f"Grade: {highest}/{highest}"), grades=(0, highest)))
    assert told.scores == (Score(1.0),)
    assert f"from 0 (certainly wrong) to {highest} (" in Judge(grades=(0, highest)).question(
        PROBLEM, solution()
    )


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Verdict: correct", 1.0),
        ("Verdict: incorrect", 0.0),
        ("**Verdict**: Not correct.", 0.0),
        ("The verdict is wrong", 0.0),
        ("All steps hold.\n\nCorrect.", 1.0),
        ("The step is incorrect, as the correct value is 5.\nVerdict: **incorrect**", 0.0),
        ("Verdict: partially correct", None),
        ("The solution is correct in part", None),
    ],
)
async def test_a_verdict_is_read(reply: str, value: float | None) -> None:
    told = await judged(Judge(asks="verdict", model=saying(reply), default=0.5))
    assert told.scores == (Score(0.5 if value is None else value),)
    assert told.malformed == (value is None)


def test_the_word_a_reply_was_cut_off_in_is_not_read() -> None:
    whole = Completion("one two", (), Finish.EOS)
    assert said(whole) == "one two"
    assert said(replace(whole, finish=Finish.LENGTH)) == "one "


def test_a_mark_counts_for_more_than_the_last_line() -> None:
    assert stated("Grade: 3\n7", "grade", r"\d+") == "3"
    assert stated("upgrade: 3", "grade", r"\d+") is None


# -- questions ------------------------------------------------------------------------------------


def test_a_prompt_is_filled_in_once_and_its_other_braces_stay() -> None:
    prompt = r"\boxed{x} {problem}|{solution}"
    assert filled(prompt, problem="{solution}", solution="{a}") == r"\boxed{x} {solution}|{a}"


def test_settings_that_cannot_be_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"prompt.*has no \{solution\}"):
        VERIFIERS.make("judge", prompt="Grade {problem}")
    with pytest.raises(ConfigError, match=r"grades.*lowest grade comes first"):
        VERIFIERS.make("judge(grades=(5, 5))")
    with pytest.raises(ConfigError, match=r"votes=0"):
        VERIFIERS.make("judge(votes=0)")
    with pytest.raises(ConfigError, match=r"model='gpt'"):
        VERIFIERS.make("judge(model='gpt')")


async def test_equal_questions_are_asked_once_and_others_apart() -> None:
    told = await judged(judge := Judge(model=noisy()), *map(solution, "aba"))
    assert told.scores[0] == told.scores[2]
    assert told.usage == judge.asked.usage == replace(told.usage, requests=2)  # type: ignore[attr-defined]


async def test_the_same_seed_has_the_same_replies_and_another_has_others() -> None:
    candidates = [solution(str(i)) for i in range(8)]
    first, again, other = [
        (await judged(Judge(model=noisy(), seed=seed), *candidates)).scores for seed in (0, 0, 1)
    ]
    assert first == again != other


async def test_a_question_beyond_the_context_has_no_verdict_and_costs_nothing() -> None:
    judge = Judge(model=saying("Grade: 10", context=900), votes=2, default=0.1)
    told = await judged(judge, solution(), solution("1" * 900))
    assert told.scores == (Score(1.0), Score(0.1))
    assert told.malformed == 2
    assert told.usage.requests == 1


async def test_a_reply_ends_where_the_context_does() -> None:
    judge = Judge(model=(model := saying("Grade: 10", context=900)))
    length = model.prompt_length(Prompt(Problem("q", judge.question(PROBLEM, solution("")))))
    told = await judged(judge, solution("1" * (895 - length)))
    assert told.usage.completion_tokens == 5
    assert judge.estimate(PROBLEM, [solution("1" * (895 - length))]).completion_tokens == 5


async def test_what_a_model_of_unknown_context_refuses_is_raised() -> None:
    class Refusing(Scripted):
        async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
            raise ConfigError("too long for me")

    with pytest.raises(ConfigError, match="too long for me"):
        await judged(Judge(model=Refusing()))


@settings(max_examples=50)
@given(
    texts=st.lists(st.text(max_size=40), max_size=5),
    votes=st.integers(1, 4),
    max_tokens=st.integers(1, 80),
    context=st.sampled_from([0, 650, 700, 5000]),
)
async def test_the_estimate_is_never_passed(
    texts: list[str], votes: int, max_tokens: int, context: int
) -> None:
    model = noisy(context)
    judge = Judge(model=model, votes=votes, max_tokens=max_tokens)
    batch = list(map(solution, texts))
    worst = judge.estimate(PROBLEM, batch)
    told = await judge.score(PROBLEM, batch)
    assert told.usage == model.usage
    assert told.usage.requests <= worst.requests
    assert told.usage.prompt_tokens <= worst.prompt_tokens
    assert told.usage.completion_tokens <= worst.completion_tokens
    assert told.usage.flops <= worst.flops
    assert 0 <= told.malformed <= votes * len(texts)


# -- in a run -------------------------------------------------------------------------------------


def sharp(prompt: Prompt, rng: Random) -> str:
    """Solves like the scripted model, and grades 10 what is right."""
    if prompt.problem.prompt == PROBLEM.prompt:
        return add_up(prompt, rng)
    return f"Grade: {10 if '#6' in prompt.problem.prompt else 1}{END}"


async def test_a_run_lends_the_judge_its_own_model() -> None:
    judge = VERIFIERS.make("judge(votes=2)")
    async with Reasoner(model := Scripted(reply=sharp), verifier=judge) as reasoner:
        result = await reasoner.asolve(PROBLEM)
    assert result.answer == "6"
    assert result.usage == model.usage
    assert result.by_role[VERIFIER].requests == len({s.candidate.text for s in result.candidates})
    assert judge.model is None


async def test_a_judge_with_a_model_of_its_own_keeps_it() -> None:
    model, other = Scripted(), Scripted(reply=sharp)
    result = await solve(PROBLEM, BestOfN(n=8), model, Judge(model=other))
    assert result.by_role[VERIFIER] == other.usage
    assert result.answer == "6"


async def test_flops_of_a_judge_of_unknown_size_cannot_be_limited() -> None:
    judge = Judge(model=Scripted("big", parameters=0))
    with pytest.raises(ConfigError, match="FLOPs budget needs the size of 'big'"):
        await solve(PROBLEM, BestOfN(), Scripted(), judge, budget=Budget(flops=1e9))


async def test_without_a_model_there_is_no_judging() -> None:
    with pytest.raises(ConfigError, match="Judge has no model to ask: give it one"):
        await judged(Judge())
    assert Judge().estimate(PROBLEM, []) == Usage()
