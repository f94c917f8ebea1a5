"""Label tokens: what is asked after each step, what is made of the answer, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import exp, inf, log
from typing import Any

import httpx
import pytest

from reasoner.backends.openai import OpenAI
from reasoner.backends.scripted import END, Scripted
from reasoner.base import Generative
from reasoner.errors import ConfigError
from reasoner.registry import verifiers
from reasoner.search.beam import Beam
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
    Usage,
)
from reasoner.verifiers.label_token import LabelToken, probability
from reasoner.verifiers.reward.step_boundaries import Characters, stepped
from reasoner.verifiers.value_head import ValueHead

PROBLEM = Problem("p", "1+2+3")
Odds = Callable[[str], tuple[float, ...]]


class Odd(Scripted):
    """Tells of two labels what a function makes of the text, and remembers what it was asked."""

    def __init__(self, odds: Odds, **settings: Any) -> None:
        super().__init__(**settings)
        self.odds, self.asked = odds, list[tuple[Prompt, Sampling]]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        told = await super().generate(prompt, sampling)
        if not sampling.labels:
            return told
        self.asked.append((prompt, sampling))
        [said] = told.completions
        return replace(told, completions=(replace(said, labels=self.odds(prompt.text)),))


def by_length(text: str) -> tuple[float, float]:
    """Less likely, the longer."""
    return log(1 / (1 + len(text))), log(len(text) / (1 + len(text)))


def piece(text: str, finish: Finish = Finish.STOP) -> Completion:
    ended = END if finish is Finish.EOS else ""
    return Completion(text, tuple(map(ord, text + ended)), finish)


def grown(*texts: str) -> Candidate:
    """A solution whose pieces were sampled one by one."""
    *steps, last = texts
    pieces = (*map(piece, steps), piece(last, Finish.EOS))
    return Candidate(pieces, complete=True)


def reader(model: Scripted, **settings: Any) -> LabelToken:
    return LabelToken(model=model, **{"suffix": "?", "separator": "\n", **settings})


async def judged(verifier: LabelToken, *candidates: Candidate) -> Judgement:
    return await verifier.score(PROBLEM, candidates)


# -- what is asked ----------------------------------------------------------------------------------


async def test_each_step_is_followed_by_the_suffix_and_one_token_is_asked_for() -> None:
    model = Odd(by_length)
    await judged(reader(model, good="+", bad="-"), grown("a\n", "bc\n", "#d"))
    assert [prompt.text for prompt, _ in model.asked] == ["a\n?", "a\nbc\n?", "a\nbc\n#d?"]
    for prompt, sampling in model.asked:
        assert prompt.problem == PROBLEM
        assert prompt.token_ids == tuple(map(ord, prompt.text))
        assert sampling == Sampling(max_tokens=1, labels=("+", "-"))


async def test_a_solution_drawn_at_once_has_the_steps_of_one_grown_step_by_step() -> None:
    verifier = reader(Odd(by_length))
    at_once, in_steps = grown("a\nbc\n#d"), grown("a\n", "bc\n", "#d")
    first, second = (await judged(verifier, at_once, in_steps)).scores
    assert first == second
    assert first.steps == pytest.approx([1 / 4, 1 / 7, 1 / 9])


async def test_a_step_is_asked_about_once() -> None:
    verifier = reader(model := Odd(by_length))
    first = await judged(verifier, grown("a\n", "#b"), grown("a\n", "#c"), grown("a\n", "#b"))
    assert [prompt.text for prompt, _ in model.asked] == ["a\n?", "a\n#b?", "a\n#c?"]
    assert (await judged(verifier, grown("a\n", "#b"))).usage == Usage()
    later = await judged(verifier, grown("a\n", "#d"))
    assert [prompt.text for prompt, _ in model.asked[3:]] == ["a\n#d?"]
    assert (first.usage.requests, later.usage.requests) == (3, 1)
    assert first.usage + later.usage == model.usage


async def test_a_search_asks_once_for_each_of_its_steps() -> None:
    model = Odd(by_length)
    sampling = Sampling(stop=("\n",), max_tokens=60)
    problem = Problem("sum", "12+30+41+5")
    result = await solve(problem, Beam(n=4), model, LabelToken(separator="\n"), sampling=sampling)
    texts = [prompt.text for prompt, _ in model.asked]
    assert len(texts) == len(set(texts)) > 4
    assert result.usage == model.usage
    assert all(node.score is not None for node in result.trace if node.completion)


async def test_the_estimate_is_of_steps_not_known_yet() -> None:
    verifier = reader(model := Odd(by_length))
    whole = verifier.estimate(PROBLEM, [grown("a\n", "#b")])
    assert (whole.requests, whole.completion_tokens) == (2, 2)
    spent = (await judged(verifier, grown("a\n", "#b"))).usage
    assert spent.flops <= whole.flops and spent.prompt_tokens == whole.prompt_tokens
    assert verifier.estimate(PROBLEM, [grown("a\n", "#b")]) == Usage()
    assert verifier.estimate(PROBLEM, [grown("a\n", "#c")]).requests == 1
    assert model.usage == spent


async def test_a_run_lends_the_policy_and_a_model_of_its_own_is_kept() -> None:
    policy, own = Odd(by_length), Odd(by_length)
    assert isinstance(LabelToken(), Generative)
    await judged(LabelToken().on(policy), grown("#a"))
    with pytest.raises(ConfigError, match="LabelToken has no model to ask"):
        await judged(LabelToken(), grown("#a"))
    sampling = Sampling(max_tokens=60)
    await solve(Problem("s", "1+2"), Beam(n=2), policy, LabelToken(model=own), sampling=sampling)
    assert (len(policy.asked), len(own.asked) > 0) == (1, True)


# -- what is made of the answer ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("last", 1 / 9), ("min", 1 / 9), ("prod", 1 / 252), ("mean", (1 / 4 + 1 / 7 + 1 / 9) / 3)],
)
async def test_steps_are_aggregated(aggregate: str, value: float) -> None:
    told = await judged(reader(Odd(by_length), aggregate=aggregate), grown("a\nbc\n#d"))
    assert told.scores[0].value == pytest.approx(value)


@pytest.mark.parametrize(
    ("labels", "value"),
    [
        ((log(0.3), log(0.1)), 0.75),
        ((-900.0, -901.0), 1 / (1 + exp(-1))),
        ((log(0.3), -inf), 1.0),
        ((-inf, log(0.3)), 0.0),
    ],
)
def test_one_label_is_weighed_against_the_other(labels: Sequence[float], value: float) -> None:
    assert probability(labels) == pytest.approx(value)


@pytest.mark.parametrize("labels", [(), (-inf, -inf)])
async def test_labels_that_are_not_told_are_malformed(labels: tuple[float, ...]) -> None:
    told = await judged(reader(Odd(lambda _: labels)), grown("a\n#b"), grown("#c"))
    assert [(score.value, score.steps) for score in told.scores] == [(0.0, ()), (0.0, ())]
    assert told.malformed == 3
    assert told.usage.requests == 3


async def test_no_score_rests_on_a_step_that_cannot_be_read() -> None:
    model = Odd(lambda text: () if "#" in text else by_length(text))
    told = await judged(reader(model, aggregate="prod"), grown("a\nb\n#c"))
    assert told.scores[0].steps == pytest.approx((1 / 4, 1 / 6))
    assert told.malformed == 1


async def test_steps_beyond_the_context_are_malformed_and_cost_nothing() -> None:
    verifier = reader(Odd(by_length, context=len(PROBLEM.prompt) + 4))
    told = await judged(verifier, grown("a\nbcdefghi"))
    assert told.scores[0].steps == pytest.approx((1 / 4,))
    assert (told.malformed, told.usage.requests) == (1, 1)


async def test_nothing_written_scores_nothing() -> None:
    told = await judged(reader(Odd(by_length)), Candidate((piece("", Finish.EOS),), True))
    assert (told.scores[0].value, told.malformed, told.usage) == (0.0, 0, Usage())


def test_labels_must_differ() -> None:
    with pytest.raises(ConfigError, match="good and bad are both 'Yes'"):
        verifiers.make("label-token", good="Yes", bad="Yes")


async def test_the_scripted_model_tells_labels_by_its_replies() -> None:
    model = Scripted(reply=lambda prompt, rng: ("+" if rng.random() < 0.7 else "-") + END)
    told = await judged(reader(model, good="+", bad="-"), grown("#a"))
    assert 0.4 < told.scores[0].value < 0.95
    told = await judged(reader(model, good="yes", bad="no"), grown("#a"))
    assert (told.scores[0].value, told.malformed) == (0.0, 1)


def test_a_value_head_is_read_at_the_step_itself() -> None:
    head = ValueHead()
    assert (head.good, head.bad, head.suffix) == ("<|value:good|>", "<|value:bad|>", "")
    assert isinstance(head, LabelToken)


# -- where steps end --------------------------------------------------------------------------------


class Pieces:
    """A vocabulary of longer tokens: the number of a token is its place in `texts`."""

    texts = ("", "ab", ".\n", "\n\nc", "c", "#1", "\n")

    def encode(self, text: str) -> tuple[int, ...]:
        ids = list[int]()
        while text:
            longest = max((t for t in self.texts if t and text.startswith(t)), key=len)
            ids.append(self.texts.index(longest))
            text = text.removeprefix(longest)
        return tuple(ids)

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.texts[i] for i in ids)


@pytest.mark.parametrize(
    ("pieces", "ids", "reads"),
    [
        ([[1, 2], [4, 6], [5]], (1, 2, 4, 6, 5), (1, 3, 4)),
        ([[1, 2, 4, 6, 5]], (1, 2, 4, 6, 5), (1, 3, 4)),
        # A step that ends within a token is read at the token before.
        ([[1, 3, 5]], (1, 3, 5), (0, 0, 2)),
        ([[1], [3, 5]], (1, 3, 5), (0, 0, 2)),
        ([[3, 5]], (3, 5), (1,)),
    ],
)
def test_steps_end_at_sampled_tokens(
    pieces: list[list[int]], ids: tuple[int, ...], reads: tuple[int, ...]
) -> None:
    vocabulary = Pieces()
    told = [Completion(vocabulary.decode(p), tuple(p), Finish.STOP) for p in pieces]
    found = stepped(vocabulary, Candidate(tuple(told), complete=False), "\n")
    assert (found.ids, found.reads) == (ids, reads)


def test_an_end_is_left_out_wherever_it_stands() -> None:
    pieces = (Completion("ab", (1, 0), Finish.EOS), Completion("c", (4, 0), Finish.EOS))
    found = stepped(Pieces(), Candidate(pieces, complete=True), "\n")
    assert (found.ids, found.reads) == ((1, 4), (1,))


@pytest.mark.parametrize("ids", [(5, 6), (-1, -1), ()])
def test_the_ids_of_another_model_are_not_taken_for_its_own(ids: tuple[int, ...]) -> None:
    piece = Completion("ab.\n", ids, Finish.STOP)
    assert stepped(Pieces(), Candidate((piece,), complete=False), "\n").ids == (1, 2)


def test_where_tokens_are_not_told_a_character_is_one() -> None:
    found = stepped(Characters(), Candidate((Completion("ä\nb", (), Finish.STOP),), False), "\n")
    assert (found.ids, found.reads) == ((ord("ä"), 10, ord("b")), (1, 2))


# -- on a server ------------------------------------------------------------------------------------


class Server:
    """Tells the likeliest tokens, in the form of completions or of chats."""

    def __init__(self, top: dict[str, float], *, chat: bool, vllm: bool = False) -> None:
        self.top, self.chat, self.vllm = top, chat, vllm
        self.bodies = list[dict[str, Any]]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200 if self.vllm else 404, json={"version": "0.32"})
        self.bodies.append(json.loads(request.content))
        listed = [{"token": t, "logprob": p} for t, p in self.top.items()]
        token = {"token": "Hm", "logprob": -3.0, "top_logprobs": listed}
        plain = {"token_logprobs": [-3.0], "top_logprobs": [self.top]}
        choice = {"index": 0, "finish_reason": "length", "text": "Hm"}
        choice |= {"message": {"content": "Hm"}} if self.chat else {}
        choice |= {"logprobs": {"content": [token]} if self.chat else plain}
        usage = {"prompt_tokens": 50, "completion_tokens": 1}
        return httpx.Response(200, json={"choices": [choice], "usage": usage})


async def served(server: Server) -> Judgement:
    model = OpenAI("m", chat=server.chat, transport=httpx.MockTransport(server))
    verifier = LabelToken(model=model, suffix="?", separator="\n")
    told = await verifier.score(PROBLEM, [grown("a\n#b")])
    await model.aclose()
    return told


@pytest.mark.parametrize("chat", [False, True])
async def test_a_server_tells_labels_among_the_likeliest(chat: bool) -> None:
    top = {" Yes": log(0.3), "Hm": log(0.2), " No": log(0.1)}
    server = Server(top, chat=chat, vllm=chat)  # Only some servers continue a chat.
    told = await served(server)
    assert told.scores[0].steps == pytest.approx((0.75, 0.75))
    assert (told.malformed, told.usage) == (0, Usage(2, 100, 0, 2))
    if chat:
        assert [b["messages"][-1]["content"] for b in server.bodies] == ["a\n?", "a\n#b?"]
        assert server.bodies[0]["top_logprobs"] == 20
    else:
        assert [b["prompt"] for b in server.bodies] == ["1+2+3a\n?", "1+2+3a\n#b?"]
        assert server.bodies[0]["logprobs"] == 5
    assert server.bodies[0]["max_tokens"] == 1


async def test_a_vllm_server_tells_more_and_by_their_text() -> None:
    server = Server({" Yes": log(0.3), " No": log(0.1)}, chat=False, vllm=True)
    told = await served(server)
    assert told.malformed == 0
    assert (server.bodies[0]["logprobs"], server.bodies[0]["return_tokens_as_token_ids"]) == (
        20,
        False,
    )


@pytest.mark.parametrize("chat", [False, True])
async def test_a_label_that_is_not_among_the_likeliest_is_malformed(chat: bool) -> None:
    told = await served(Server({" Yes": log(0.3), "Hm": log(0.2)}, chat=chat, vllm=chat))
    assert (told.scores[0].value, told.malformed) == (0.0, 2)
