"""The probability of Yes: from one token, from its log-probability, and from rationales."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log
from random import Random
from statistics import fmean
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.backends.openai import OpenAI
from reasoner.backends.scripted import END, Scripted
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
from reasoner.verifiers.genrm import GenRM, probability, token

PROBLEM = Problem("p", "1+2+3")
CANDIDATE = Candidate((Completion("#6", (1, 2), Finish.EOS),), complete=True)


class Words(Scripted):
    """A model that says one of a few words, a token each, with the probabilities given."""

    def __init__(self, chances: dict[str, float], *, tells: bool = True) -> None:
        super().__init__(parameters=0)
        self.chances, self.tells = chances, tells

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        assert (sampling.max_tokens, sampling.temperature, sampling.top_p) == (1, 1, 1)
        usage = (await super().generate(prompt, replace(sampling, n=0))).usage
        rng = Random(sampling.seed)
        drawn = rng.choices(list(self.chances), list(self.chances.values()), k=sampling.n)
        return Generation(tuple(map(self.said, drawn)), usage)

    def said(self, word: str) -> Completion:
        logprob = log(self.chances[word]) if self.tells else None
        return Completion(word, (hash(word),), Finish.LENGTH, logprob)


async def asked(verifier: GenRM) -> Judgement:
    return await verifier.score(PROBLEM, [CANDIDATE])


def direct(chances: dict[str, float], *, tells: bool = True, **settings: int) -> GenRM:
    model = Words(chances, tells=tells)
    return GenRM(chain_of_thought=False, model=model, **settings)  # type: ignore[arg-type]


def rationale(*replies: str, votes: int = 1) -> GenRM:
    """GenRM on a model that gives these replies, one after the other."""
    left = list(replies)
    return GenRM(model=Scripted(reply=lambda *_: left.pop(0) + END), votes=votes)


# -- without a chain of thought -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
async def test_where_a_model_says_little_else_one_token_tells_the_probability(seed: int) -> None:
    told = await asked(direct({"Yes": 0.8, "No": 0.2}, votes=1, seed=seed))
    assert told.scores[0].value == pytest.approx(0.8)


async def test_yes_is_weighed_against_no_and_other_words_are_counted() -> None:
    told = await asked(direct({"Yes": 0.3, " yes": 0.1, "No": 0.1, "Maybe": 0.5}, votes=64))
    assert told.scores[0].value == pytest.approx(0.8)
    assert 16 < told.malformed < 48


async def test_what_is_unseen_goes_to_the_word_that_was_not_drawn() -> None:
    words = Words({"Yes": 0.6, "No": 0.1, "Well": 0.2, "Hm": 0.1})
    yes, no, well = map(words.said, ("Yes", "No", "Well"))
    assert probability([yes, yes]) == pytest.approx(0.6)
    assert probability([yes, well]) == pytest.approx(0.6 / 0.8)
    assert probability([no]) == pytest.approx(0.9)
    assert probability([no, well, no]) == pytest.approx(0.7 / 0.8)
    assert probability([yes, no, well]) == pytest.approx(0.6 / 0.7)


async def test_without_log_probabilities_it_is_the_share() -> None:
    told = await asked(direct({"Yes": 0.5, "No": 0.5}, tells=False, votes=10))
    assert told.scores[0].value in [i / 10 for i in range(1, 10)]


async def test_the_share_is_unbiased_and_the_reading_nearer() -> None:
    """Over many seeds, for a model that says something else a tenth of the time."""
    chances, target = {"Yes": 0.63, "No": 0.27, "Hm": 0.1}, 0.7
    shares, readings = [
        [
            (await asked(direct(chances, tells=tells, seed=seed))).scores[0].value
            for seed in range(400)
        ]
        for tells in (False, True)
    ]
    assert fmean(shares) == pytest.approx(target, abs=0.03)
    assert fmean(readings) == pytest.approx(target, abs=0.03)
    assert fmean(abs(r - target) for r in readings) < fmean(abs(s - target) for s in shares) / 4


@pytest.mark.parametrize("chat", [False, True])
async def test_a_server_tells_the_probability_too(chat: bool) -> None:
    """In the form of completions and of chats."""

    def choice(i: int, word: str, chance: float) -> dict[str, Any]:
        said = {"message": {"content": word}} if chat else {"text": word}
        told = [{"token": word, "logprob": log(chance), "top_logprobs": []}]
        logprobs = {"content": told} if chat else {"token_logprobs": [log(chance)]}
        return {"index": i, "finish_reason": "length", "logprobs": logprobs, **said}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404)
        bodies.append(json.loads(request.content))
        choices = [choice(0, " Yes", 0.6), choice(1, " No", 0.2), choice(2, " Yes", 0.6)]
        usage = {"prompt_tokens": 50, "completion_tokens": 3}
        return httpx.Response(200, json={"choices": choices, "usage": usage})

    bodies = list[dict[str, Any]]()
    model = OpenAI("m", chat=chat, transport=httpx.MockTransport(answer))
    told = await GenRM(chain_of_thought=False, votes=3, model=model).score(PROBLEM, [CANDIDATE])
    assert told.scores[0].value == pytest.approx(0.75)
    assert told.usage == Usage(1, 50, 0, 3)
    assert (bodies[0]["n"], bodies[0]["max_tokens"], bodies[0]["temperature"]) == (3, 1, 1.0)
    assert "logprobs" in bodies[0]
    await model.aclose()


async def test_no_yes_and_no_no_has_the_default() -> None:
    told = await asked(replace(direct({"The": 1.0}, votes=3), default=0.5))
    assert told.scores == (Score(0.5),)
    assert told.malformed == 3


@pytest.mark.parametrize(
    ("text", "word"),
    [
        *[(text, True) for text in ("Yes", " yes", "**Yes", "Y")],
        *[(text, False) for text in ("No", "NO", "n")],
        *[(text, None) for text in ("", " ", "Not", "Yesterday", "I")],
    ],
)
def test_a_token_is_read(text: str, word: bool | None) -> None:
    assert token(Completion(text, (), Finish.LENGTH)) is word


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["Yes", " Yes", "No", "Hm", ""]), min_size=1), st.data())
def test_a_probability_stays_one(drawn: list[str], data: st.DataObject) -> None:
    """Whatever mass the words have, and if it is a rounding error more than all."""
    shares = data.draw(st.lists(st.floats(1e-6, 1), min_size=5, max_size=5))
    words = Words(dict(zip(["Yes", " Yes", "No", "Hm", ""], shares, strict=True)))
    assert 0 <= probability(list(map(words.said, drawn))) <= 1


# -- with one -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("1+2 is 3.\nVerification: Is the answer correct (Yes/No)? Yes", 1.0),
        ("1+2 is 3.\nVerification: Is the answer correct (Yes/No)? **No**.", 0.0),
        ("**Is the answer correct (Yes/No)?** No, since 3+3 is 6.", 0.0),
        ("Step 1 holds.\n\nYes", 1.0),
        ("Is it? Answer: no", 0.0),
        ("Is the solution correct? Yes!", 1.0),
        ("The answer is no multiple of 3.", None),
        ("Is the answer correct (Yes/No)? No.\nWait.\nIs the answer correct (Yes/No)? Yes", 1.0),
        ("Is the answer correct (Yes/No)?", None),
        ("It is correct.", None),
        ("Yes, and then I thought about it", None),
        ("", None),
    ],
)
async def test_a_rationale_is_read(reply: str, value: float | None) -> None:
    told = await asked(rationale(reply))
    assert told.scores == (Score(0.0 if value is None else value),)
    assert told.malformed == (value is None)


async def test_rationales_are_averaged_and_malformed_ones_dropped() -> None:
    told = await asked(rationale("Answer: yes", "Hm", "Answer: yes", "Answer: no", votes=4))
    assert told.scores[0].value == pytest.approx(2 / 3)
    assert told.malformed == 1


async def test_rationales_need_no_log_probabilities() -> None:
    assert not GenRM().sampling.logprobs
    assert GenRM(temperature=0.7, max_tokens=99, votes=5).sampling == Sampling(
        n=5, temperature=0.7, max_tokens=99
    )


async def test_a_prompt_of_ones_own() -> None:
    verifier = GenRM(prompt="{solution} for {problem}?", chain_of_thought=False)
    assert verifier.question(PROBLEM, CANDIDATE) == "#6 for 1+2+3?"
