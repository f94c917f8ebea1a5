"""OpenAI-compatible servers: faults on a transport made for them, then a real `vllm serve`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from reasoner.backends.openai import OpenAI
from reasoner.errors import BackendError, ConfigError
from reasoner.messages import parse_messages
from reasoner.registry import strategies
from reasoner.run import last_line
from reasoner.search.best_of_n import BestOfN
from reasoner.search.majority import Majority
from reasoner.solving import solve
from reasoner.types import Completion, Finish, Problem, Prompt, Sampling, Usage
from tests import models
from tests.engines import SERVED, conforms, given_up, spent
from tests.needs import need
from tests.reasoner.backends.vllm_process import check_counts, counted, serving

PROBLEM = Problem("p", "dg:b=a+c,a=1234,c=5678?b\n")
LONG = Problem("p", f"dg:b=a+c,a={'1234' * 20},c=5678?b\n")
Reply = Callable[[httpx.Request], httpx.Response]


def answer(text: str = "42", reason: str = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "finish_reason": reason, **more}
    return {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


class Server:
    """Answers each POST with the next of `replies`, an exception or a response."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.replies, self.bodies = list(replies), list[dict[str, Any]]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404)
        self.bodies.append(json.loads(request.content))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def client(replying: Server, **settings: Any) -> OpenAI:
    transport = httpx.MockTransport(replying)
    return OpenAI("m", base_url="http://test/v1", backoff=0.001, transport=transport, **settings)


ok = httpx.Response(200, json=answer())


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(429, headers={"retry-after": "0"}),
        httpx.Response(503, text="busy"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("dropped"),
    ],
    ids=["429", "503", "timeout", "dropped"],
)
async def test_trouble_that_passes_is_tried_again(trouble: httpx.Response | Exception) -> None:
    server = Server(trouble, trouble, ok)
    generation = await client(server).generate(Prompt(PROBLEM), Sampling())
    assert generation.completions[0].text == "42"
    assert generation.usage.completion_tokens == 2
    assert len(server.bodies) == 3


async def test_trouble_that_stays_is_one_clear_error() -> None:
    server = Server(*[httpx.ConnectError("refused")] * 3)
    with pytest.raises(BackendError, match=r"no answer from http://test/v1 after 3 tries"):
        await client(server, retries=2).generate(Prompt(PROBLEM), Sampling())


async def test_a_refusal_is_not_tried_again() -> None:
    server = Server(httpx.Response(404, json={"error": {"message": "no model 'm'"}}))
    with pytest.raises(ConfigError, match="no model 'm'"):
        await client(server).generate(Prompt(PROBLEM), Sampling())
    assert len(server.bodies) == 1


async def test_an_answer_that_is_not_json_is_an_error() -> None:
    with pytest.raises(BackendError, match="JSON"):
        await client(Server(httpx.Response(200, text="<html>"))).generate(
            Prompt(PROBLEM), Sampling()
        )


async def test_a_plain_servers_stop_string_is_put_back() -> None:
    server = Server(ok, httpx.Response(200, json=answer("")))
    backend = client(server)
    sampling = Sampling(stop=("\n",))
    step = (await backend.generate(Prompt(PROBLEM), sampling)).completions[0]
    assert (step.text, step.finish) == ("42\n", Finish.STOP)
    end = await backend.generate(Prompt(PROBLEM).extend(step), sampling)
    assert end.completions[0].finish is Finish.EOS
    assert server.bodies[1]["prompt"] == PROBLEM.prompt + "42\n"


async def test_a_step_of_unknown_usage_leaves_room_for_the_next() -> None:
    server = Server(httpx.Response(200, json=answer("42\n") | {"usage": None}))
    generation = await client(server).generate(Prompt(PROBLEM), Sampling(stop=("\n",)))
    assert generation.usage.completion_tokens == Sampling().max_tokens
    assert len(generation.completions[0].token_ids) == 4


async def test_a_beginning_in_text_is_counted_and_is_no_part_of_the_problem() -> None:
    """The beginning is another model's, whose token ids mean nothing here."""
    first = answer("42\n", token_ids=[7, 8], prompt_token_ids=[1, 2])
    later = answer(token_ids=[9], prompt_token_ids=[1, 2, 3, 4])
    backend = client(Server(*(httpx.Response(200, json=r) for r in (first, later))))
    bare = Prompt(PROBLEM)
    begun = Prompt(PROBLEM, "41\n")
    for prompt in (bare, begun):
        await backend.generate(prompt, Sampling(stop=("\n",)))
    assert backend.prompt_length(bare) == 2
    assert backend.prompt_length(begun) == 2 + len(begun.text)


async def test_an_end_string_ends_the_solution() -> None:
    plain, vllm = answer(" 18.\n\n"), answer(" 18.\n\nQ: Tom", stop_reason="Q:", token_ids=[5, 6])
    step = answer(" 18.\n\n", stop_reason="\n\n", token_ids=[5, 6])
    server = Server(*(httpx.Response(200, json=told) for told in (plain, vllm, step, answer(""))))
    backend, whole = client(server), Sampling(end=("Q:",))
    steps = replace(whole, stop=("\n\n",))
    found = [
        (await backend.generate(Prompt(PROBLEM), asked)).completions[0]
        for asked in (whole, whole, steps, steps)
    ]
    assert [b["stop"] for b in server.bodies] == [["Q:"]] * 2 + [["\n\n", "Q:"]] * 2
    assert [c.text for c in found] == [" 18.\n\n"] * 3 + [""]
    assert [c.finish for c in found] == [Finish.EOS, Finish.EOS, Finish.STOP, Finish.EOS]
    assert found[1].token_ids == (-1, -1) and found[2].token_ids == (5, 6)


async def test_chat_continues_the_assistants_message() -> None:
    reply = answer()
    reply["choices"][0]["message"] = {"content": "42"}
    server = Server(httpx.Response(200, json=reply))
    prompt = Prompt(PROBLEM).extend(Completion("so ", (1, 2), Finish.STOP))
    backend = client(server, server="vllm", chat=True, system="Think.", shots=[("1+1", "2")])
    await backend.generate(prompt, Sampling())
    roles = [m["role"] for m in server.bodies[0]["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"n": 5}, "n is set by reasoner itself"),
        ({"max_tokens": 10**6, "stream": True}, "max_tokens, stream is set by"),
        ({"x": float("nan")}, "not JSON"),
        ({"x": b"bytes"}, "not JSON"),
        ({"x": {1, 2}}, "not JSON"),
    ],
)
def test_fields_that_would_mislead_the_ledger_are_refused(
    extra: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        client(Server(), extra_body=extra)


@pytest.mark.parametrize("value", [5, ["a"], {"text": "a"}])
async def test_thinking_that_is_no_text_is_an_error(value: object) -> None:
    reply = answer()
    reply["choices"][0]["message"] = {"content": "42", "reasoning": value}
    server = Server(httpx.Response(200, json=reply))
    with pytest.raises(BackendError, match="malformed reply"):
        await client(server, chat=True).generate(Prompt(PROBLEM), Sampling())


async def test_thinking_cannot_end_in_a_lone_surrogate_or_feign_an_answer() -> None:
    reply = answer()
    reply["choices"][0]["message"] = {"content": "#42", "reasoning": "\ud800 #7\n</think>\n#7"}
    server = Server(httpx.Response(200, content=json.dumps(reply).encode()))
    [whole] = (await client(server, chat=True).generate(Prompt(PROBLEM), Sampling())).completions
    assert whole.text.encode() and last_line(whole.text) == "42"


THINKING = [
    ({"content": "42", "reasoning": "2*21"}, "stop", "<think>\n2*21\n</think>\n\n42"),
    ({"content": "42", "reasoning_content": "2*21"}, "stop", "<think>\n2*21\n</think>\n\n42"),
    ({"content": "42", "reasoning": "", "reasoning_content": None}, "stop", "42"),
    ({"content": None, "reasoning": "2*"}, "length", "<think>\n2*"),
    ({"content": None, "reasoning": "2*21"}, "stop", "<think>\n2*21\n</think>\n\n"),
]
"""A message, the reason of its end, and the text of the candidate."""


@pytest.mark.parametrize(("message", "reason", "text"), THINKING)
async def test_thinking_sent_apart_is_part_of_the_candidate(
    message: dict[str, Any], reason: str, text: str
) -> None:
    reply = answer(reason=reason)
    reply["choices"][0]["message"] = message
    server = Server(httpx.Response(200, json=reply))
    [whole] = (await client(server, chat=True).generate(Prompt(PROBLEM), Sampling())).completions
    assert whole.text == text and len(whole.token_ids) == 2
    assert whole.finish is (Finish.LENGTH if reason == "length" else Finish.EOS)


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_streamed_thinking_is_watched_and_is_part_of_the_candidate(name: str) -> None:
    deltas = [{"role": "assistant"}, {name: "2*"}, {name: "21"}, {"content": "4"}, {"content": "2"}]
    pieces = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    pieces.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = [f"data: {json.dumps(piece)}\n\n" for piece in pieces] + ["data: [DONE]\n\n"]
    server = Server(httpx.Response(200, text="".join(lines)))
    watched = 0

    def halt(_: object) -> bool:
        nonlocal watched
        watched += 1
        return False

    found = await client(server, chat=True).watch(Prompt(PROBLEM), Sampling(), halt)
    assert found.completions[0].text == "<think>\n2*21\n</think>\n\n42"
    assert watched == 4


async def test_further_fields_reach_the_server() -> None:
    server = Server(ok)
    extra = {"reasoning_effort": "low", "top_k": 20}
    backend = client(server, token_limit="max_completion_tokens", extra_body=extra)
    await backend.generate(Prompt(PROBLEM), Sampling(max_tokens=7))
    [body] = server.bodies
    assert body.items() >= (extra | {"max_completion_tokens": 7}).items()
    assert "max_tokens" not in body and "seed" not in body


@pytest.mark.parametrize(("vllm", "separate", "requests"), [
    (True, None, 3), (True, False, 1), (False, None, 1), (False, True, 3),
])  # fmt: skip
async def test_samples_are_requests_of_their_own_where_usage_needs_it(
    vllm: bool, separate: bool | None, requests: int
) -> None:
    bodies = list[dict[str, Any]]()

    def server(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200 if vllm else 404, json={"version": "0.32.0"})
        if request.url.path == "/tokenize":  # The model has no chat template.
            return httpx.Response(400)
        bodies.append(json.loads(request.content))
        n, seed = bodies[-1]["n"], bodies[-1]["seed"]
        choices = [answer(str(seed + i))["choices"][0] | {"index": i} for i in range(n)]
        details = {"cached_tokens": 0 if seed == 7 else 8}
        usage = {"prompt_tokens": 9, "completion_tokens": 2 * n, "prompt_tokens_details": details}
        return httpx.Response(200, json={"choices": choices, "usage": usage})

    transport = httpx.MockTransport(server)
    backend = OpenAI("m", base_url="http://test/v1", transport=transport, separate=separate)
    generation = await backend.generate(Prompt(PROBLEM), Sampling(n=3, seed=7))
    assert [c.text for c in generation.completions] == ["7", "8", "9"]
    assert len(bodies) == requests
    cached = 0 if requests == 1 else 16
    assert generation.usage == Usage(1, 9 * requests, cached, 6)


@pytest.mark.parametrize(
    "page", ["", "version", '{"version": 5}', "[]", "<html>version</html>", "[" * 100_000],
    ids=["empty", "word", "number", "list", "html", "deep"],
)  # fmt: skip
async def test_a_server_that_is_not_vllm_is_not_taken_for_one(page: str) -> None:
    bodies = list[dict[str, Any]]()

    def server(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, text=page)
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json=answer())

    backend = OpenAI("m", base_url="http://test/v1", transport=httpx.MockTransport(server))
    await backend.generate(Prompt(PROBLEM), Sampling())
    assert "return_token_ids" not in bodies[0]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        OpenAI("m", base_url="localhost:8000")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the served model."""
    need("vllm")
    return models.qwen3(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[str]:
    """vLLM's own server of a tiny model on loopback."""
    arguments = [
        "--model", str(tiny), "--served-model-name", "tiny", "--dtype", "float32", "--enforce-eager",
        "--block-size", "32", "--enable-prompt-tokens-details", "--max-model-len", "512",
        "--logits-processors", "reasoner.backends.verdict_logits:Levels",
    ]  # fmt: skip
    with serving(tmp_path_factory.mktemp("log"), *arguments) as url:
        yield url


def chatted(text: str = "42") -> httpx.Response:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    return httpx.Response(200, json={"choices": [choice], "usage": usage})


async def test_a_conversation_is_sent_as_messages_with_its_images() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "what?"}, image]},
    ]
    server = Server(chatted(), chatted())
    backend = client(server, chat=True, system="Think.")
    problem = Problem.conversation("p", parse_messages(messages))
    await solve(problem, Majority(n=1), backend)
    sent = server.bodies[0]["messages"]
    assert sent[0] == {"role": "system", "content": "Think.\n\nBe brief."}
    assert sent[1]["content"] == messages[1]["content"]
    for settings in ({"chat": False}, {}):  # The second is recognised as no chat.
        with pytest.raises(ConfigError, match=r"has an image.*openai\(chat=True\)"):
            await solve(problem, Majority(n=1), client(server, **settings))
    assert len(server.bodies) == 1


class Recognised(Server):
    """A vLLM server."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"version": "0.32.0"})
        return super().__call__(request)


async def test_a_vllm_server_limits_the_thinking() -> None:
    server = Recognised(chatted())
    backend = client(server, chat=True, extra_body={"top_k": 5})
    await backend.generate(Prompt(PROBLEM), Sampling(thinking_budget=30))
    assert server.bodies[0]["thinking_token_budget"] == 30
    assert server.bodies[0]["top_k"] == 5


@pytest.mark.parametrize("chat", [True, False])
async def test_a_vllm_server_holds_samples_to_a_schema(chat: bool) -> None:
    server = Recognised(chatted() if chat else ok)
    backend = client(server, chat=chat)
    await backend.generate(Prompt(PROBLEM), Sampling(schema='{"type": "integer"}'))
    body, schema = server.bodies[0], {"type": "integer"}
    if chat:
        assert body["response_format"]["json_schema"]["schema"] == schema
    else:
        assert body["structured_outputs"] == {"json": schema} and "response_format" not in body
    assert backend.traits.schemas


async def test_another_server_is_not_asked_to_limit_thinking() -> None:
    server = Server(chatted())
    strategy = strategies.make("budget-forcing(native=True, maximum=30)")
    with pytest.raises(ConfigError, match="is no vLLM and does not limit thinking"):
        await solve(PROBLEM, strategy, client(server, chat=False))
    assert server.bodies == []


@pytest.mark.parametrize(("reported", "expected"), [(1, 1), (50, 2), (0, 2), (None, 2)])
async def test_a_servers_own_count_of_thinking_stands(reported: int | None, expected: int) -> None:
    """At most what was generated; none where it reports none."""
    reply = chatted("<think>1</think>3333").json()
    reply["usage"]["completion_tokens_details"] = {"reasoning_tokens": reported}
    server = Server(httpx.Response(200, json=reply))
    result = await solve(PROBLEM, Majority(n=1), client(server, chat=True))
    assert result.usage.thinking_tokens == expected
    assert bool(result.usage.thinking_estimated) == (not reported)


async def test_thinking_of_a_server_without_token_ids_is_estimated() -> None:
    server = Server(chatted("<think>1</think>3333"))
    result = await solve(PROBLEM, Majority(n=1), client(server, chat=True))
    assert result.answer == "3333"
    assert result.usage.completion_tokens == 2
    assert (result.usage.thinking_tokens, result.usage.thinking_estimated) == (2, 2)


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(300)
class TestServed:
    """Against the real server."""

    async def test_ids_and_ends_come_through(self, served: str) -> None:
        backend = OpenAI("tiny", base_url=served)
        sampling = Sampling(n=4, max_tokens=30, stop=("\n",), seed=3)
        generation = await backend.generate(Prompt(PROBLEM), sampling)
        told = sum(len(c.token_ids) for c in generation.completions)
        assert generation.usage.completion_tokens == told
        assert all(t >= 0 for c in generation.completions for t in c.token_ids)
        await backend.aclose()

    async def test_a_search_counts_what_the_server_counts(self, served: str) -> None:
        backend = OpenAI("tiny", base_url=served)
        result = await solve(
            PROBLEM, Majority(n=4), backend, sampling=Sampling(max_tokens=30, stop=("\n",))
        )
        drawn = sum(len(n.completion.token_ids) for n in result.trace if n.completion)
        assert result.usage.completion_tokens == drawn
        await backend.aclose()

    @pytest.mark.parametrize("name", SERVED)
    async def test_strategy(self, served: str, tiny: Path, name: str) -> None:
        """It ends within its budget, counts what the server counts, and nothing runs on."""
        backend = OpenAI("tiny", base_url=served, verdicts=tiny)
        before = counted(served)
        results = await conforms(name, backend, times=1)
        await backend.aclose()
        check_counts(spent(results), before, counted(served), given_up(results))

    async def test_a_prompt_counts_once_a_sample(self, served: str) -> None:
        backend, before = OpenAI("tiny", base_url=served), counted(served)
        sampling = Sampling(n=16, max_tokens=9, seed=3)
        generation = await backend.generate(Prompt(LONG), sampling)
        await backend.aclose()
        check_counts(generation.usage, before, counted(served))
        length = backend.prompt_length(Prompt(LONG))
        assert generation.usage.prompt_tokens == 16 * length > 16 * 64
        assert 15 * 64 <= generation.usage.cached_tokens <= 15 * length

    async def test_samples_are_those_of_one_request(self, served: str) -> None:
        sampling, found = Sampling(n=4, max_tokens=9, seed=3), list[list[str]]()
        for separate in (True, False):
            backend = OpenAI("tiny", base_url=served, separate=separate)
            completions = (await backend.generate(Prompt(PROBLEM), sampling)).completions
            found.append([c.text for c in completions])
            await backend.aclose()
        assert found[0] == found[1]

    async def test_verdicts_come_with_the_tokens(self, served: str, tiny: Path) -> None:
        from reasoner.verifiers.verdict import Verdict

        backend = OpenAI("tiny", base_url=served, verdicts=tiny)
        result = await solve(
            PROBLEM, BestOfN(n=4), backend, Verdict(), sampling=Sampling(max_tokens=200)
        )
        told = [n.completion.verdicts for n in result.trace if n.completion]
        assert all(0 < p < 1 for verdicts in told for p in verdicts) and any(told)
        await backend.aclose()

    async def test_an_unknown_model_is_a_clear_refusal(self, served: str) -> None:
        backend = OpenAI("tinny", base_url=served)
        with pytest.raises(ConfigError, match="tinny"):
            await backend.generate(Prompt(PROBLEM), Sampling())
        await backend.aclose()

    async def test_a_verifier_without_verdicts_says_so(self, served: str) -> None:
        from reasoner.verifiers.verdict import Verdict

        backend = OpenAI("tiny", base_url=served)
        with pytest.raises(ConfigError, match="no verdict tokens"):
            await solve(
                PROBLEM, BestOfN(n=4), backend, Verdict(), sampling=Sampling(max_tokens=200)
            )
        await backend.aclose()
