"""Keys, foreign pages, malformed requests, limits, failures, and clients that go away."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time

import httpx
import pytest

from reasoner.backends.scripted import Scripted
from reasoner.registry import verifiers
from reasoner.server.admission import Admission
from reasoner.server.api_errors import ApiError
from reasoner.server.settings import ServerSettings
from tests.reasoner.server.conftest import Running, serving

CHAT = "/v1/chat/completions"
ASKED = {"model": "toy:majority", "messages": [{"role": "user", "content": "12+30+7"}]}
DEEP = "[" * 500 + "]" * 500


def held_to(schema: object) -> dict[str, object]:
    """Return the format of a JSON schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


MALFORMED: dict[str, object] = {
    "empty object": {},
    "a list": [],
    "no messages": {"model": "toy"},
    "messages are a text": {"model": "toy", "messages": "x"},
    "a message is a text": {"model": "toy", "messages": ["x"]},
    "unknown role": {"model": "toy", "messages": [{"role": "cook", "content": "x"}]},
    "no content": {"model": "toy", "messages": [{"role": "user"}]},
    "empty content": {"model": "toy", "messages": [{"role": "user", "content": " "}]},
    "audio": {"model": "toy", "messages": [{"role": "user", "content": [{"type": "audio"}]}]},
    "ends with the assistant": {"model": "toy", "messages": [{"role": "assistant", "content": "x"}]},
    "model is a number": {**ASKED, "model": 4},
    "model is long": {**ASKED, "model": "x" * 10_000},
    "n is zero": {**ASKED, "n": 0},
    "n is negative": {**ASKED, "n": -1},
    "n is a fraction": {**ASKED, "n": 1.5},
    "n is huge": {**ASKED, "n": 10**30},
    "temperature is negative": {**ASKED, "temperature": -1},
    "temperature is a text": {**ASKED, "temperature": "hot"},
    "top_p is 2": {**ASKED, "top_p": 2},
    "max_tokens is zero": {**ASKED, "max_tokens": 0},
    "seed is negative": {**ASKED, "seed": -1},
    "stop is empty": {**ASKED, "stop": ""},
    "stop is a number": {**ASKED, "stop": 3},
    "effort is unknown": {**ASKED, "reasoning_effort": "heroic"},
    "unknown key in reasoner": {**ASKED, "reasoner": {"strategi": "beam"}},
    "unknown strategy": {**ASKED, "reasoner": {"strategy": "baem"}},
    "a strategy with settings": {**ASKED, "reasoner": {"strategy": "beam(n=100000)"}},
    "unknown verifier": {**ASKED, "reasoner": {"verifier": "guru"}},
    "the oracle": {**ASKED, "reasoner": {"verifier": "oracle", "strategy": "best-of-n"}},
    "a reward model": {**ASKED, "reasoner": {"verifier": "math-shepherd", "strategy": "beam"}},
    "unknown task": {**ASKED, "reasoner": {"task": "gardening"}},
    "a task with a path": {**ASKED, "reasoner": {"task": "jsonl(data='/etc/passwd')"}},
    "size is huge": {**ASKED, "reasoner": {"n": 100_000}},
    "budget is zero": {**ASKED, "reasoner": {"budget": {"tokens": 0}}},
    "budget is unknown": {**ASKED, "reasoner": {"budget": {"euros": 3}}},
    "logprobs": {**ASKED, "logprobs": True},
    "tools": {**ASKED, "tools": [{}]},
    "a schema without one": {**ASKED, "response_format": {"type": "json_schema"}},
    "a schema that is none": {**ASKED, "response_format": held_to({"type": "thing"})},
    "a schema with a pattern": {**ASKED, "response_format": held_to({"pattern": "(a*)*b"})},
    "a schema without end": {**ASKED, "response_format": held_to({"minItems": 10**9})},
    "a deep schema": {**ASKED, "response_format": held_to(json.loads('{"not":' * 40 + "{}" + "}" * 40))},
    "a long schema": {**ASKED, "response_format": held_to({"enum": ["x" * 30_000]})},
    "a schema and a task": {
        **ASKED, "response_format": held_to({}), "reasoner": {"task": "dagmath", "strategy": "best-of-n"},
    },
    "a schema for one sample": {**ASKED, "response_format": held_to({})},
    "an unknown format": {**ASKED, "response_format": {"type": "xml"}},
    "nested deeply": {**ASKED, "metadata": json.loads(DEEP)},
}  # fmt: skip
HARMLESS = ("nested deeply",)
"""Fields that are ignored, whatever they hold."""


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_requests_are_refused_in_one_line(running: Running, case: str) -> None:
    before = running.backend.usage
    reply = running.post(CHAT, MALFORMED[case])
    if case in HARMLESS:
        assert reply.status_code in (200, 400)
        return
    assert reply.status_code in (400, 404), reply.text
    error = reply.json()["error"]
    assert error["type"] == "invalid_request_error" and error["message"]
    assert "\n" not in error["message"] and "Traceback" not in reply.text
    assert running.backend.usage == before, "nothing was sampled"


def test_reward_models_are_the_operators_and_loaded_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = list[str]()
    make = verifiers.make

    def recorded(name: str) -> object:
        made.append(name)
        return make("judge" if name.startswith("math-shepherd") else name)

    monkeypatch.setattr(verifiers, "make", recorded)
    spec = "math-shepherd(model='here')"
    with serving(verifiers=[spec]) as running:
        assert spec in made
        body = {
            **ASKED,
            "model": "toy:best-of-n",
            "reasoner": {"verifier": "math-shepherd", "n": 2},
        }
        reply = running.post(CHAT, body)
        assert reply.status_code == 200 and reply.json()["reasoner"]["verifier"] == "math-shepherd"
        other = running.post(CHAT, {**ASKED, "reasoner": {"verifier": "qwen2.5-math-prm"}})
        assert other.status_code == 400 and "only the server's operator" in other.text
    assert made.count(spec) == 1


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff\xfe{}", "application/json", 400),
        (DEEP.encode(), "application/json", 400),
        (b'{"model": NaN}', "application/json", 400),
        (b'{"model": "toy"}', "text/plain", 415),
        (b'{"model": "toy"}', "", 415),
        (b"x" * 3000, "application/json", 413),
    ],
)
def test_bodies_that_are_no_json(body: bytes, kind: str, status: int) -> None:
    with serving(body_bytes=2000) as running:
        headers = {"content-type": kind} if kind else {}
        reply = httpx.post(running.url + CHAT, content=body, headers=headers)
    assert reply.status_code == status and reply.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v2", "/v1/chat", "/v1/models/a/b", "/docs"])
def test_other_paths_do_not_exist(running: Running, path: str) -> None:
    reply = httpx.get(running.url + path)
    assert reply.status_code == 404 and reply.json()["error"]["message"]
    assert httpx.get(running.url + CHAT).status_code == 405


def test_prompts_of_tokens_and_echo_are_refused(running: Running) -> None:
    for body in (
        {"prompt": [1, 2]},
        {"prompt": "1+2", "echo": True},
        {"prompt": "1", "best_of": 3},
    ):
        reply = running.post("/v1/completions", {"model": "toy", **body})
        assert reply.status_code == 400, reply.text
    assert (
        running.post(
            "/v1/responses", {"model": "toy", "input": "1+2", "background": True}
        ).status_code
        == 400
    )
    item = {"type": "function_call_output", "output": "x"}
    assert running.post("/v1/responses", {"model": "toy", "input": [item]}).status_code == 400


def test_a_key_is_needed_where_there_is_one() -> None:
    with serving(keys=("first", "second")) as running:
        assert running.post(CHAT, ASKED).status_code == 401
        for bad in ("Bearer wrong", "Bearer", "first", "Basic first", "Bearer first second"):
            reply = running.post(CHAT, ASKED, authorization=bad)
            assert reply.status_code == 401 and reply.json()["error"]["code"] == "invalid_api_key"
            assert "first" not in reply.text
        assert running.post(CHAT, ASKED, authorization="Bearer second").status_code == 200
        assert httpx.get(running.url + "/v1/models").status_code == 401
        assert httpx.get(running.url + "/health").status_code == 200


def test_foreign_pages_are_refused() -> None:
    with serving(origins=("https://chat.example",)) as running:
        assert running.post(CHAT, ASKED, origin="https://evil.example").status_code == 403
        for odd in ("http://[", "null", "http://a@b:c"):
            assert running.post(CHAT, ASKED, origin=odd).status_code == 403
        served = running.post(CHAT, ASKED, origin="https://chat.example")
        assert served.status_code == 200 and len(served.headers["x-request-id"]) == 32
        assert running.post(CHAT, ASKED, origin=running.url).status_code == 200
        assert running.server.admission.running == 0


def test_a_full_queue_is_told_to_come_back() -> None:
    with serving(Scripted(delay=3), searches=1, queue=0) as running:
        with httpx.stream("POST", running.url + CHAT, json={**ASKED, "stream": True}) as first:
            lines = first.iter_lines()
            next(lines)
            _until(lambda: running.server.admission.running == 1)
            refused = running.post(CHAT, ASKED)
        assert refused.status_code == 429 and refused.headers["retry-after"]
        _until(lambda: running.server.admission.running == 0)
        assert running.post(CHAT, ASKED).status_code == 200, "the place is free again"


async def test_tokens_a_minute_of_a_key() -> None:
    now = [0.0]
    admission = Admission(ServerSettings(tokens_per_minute=100), lambda: now[0])
    async with admission.admitted("a"):
        admission.charge("a", 120)
    with pytest.raises(ApiError, match="its 100 tokens a minute") as limited:
        async with admission.admitted("a"):
            pass
    assert limited.value.status == 429 and limited.value.headers == {"retry-after": "60"}
    async with admission.admitted("b"):
        pass
    now[0] = 60.0
    async with admission.admitted("a"):
        assert admission.running == 1


def test_a_budget_of_the_server_bounds_every_search() -> None:
    with serving(budget={"tokens": 50}) as running:
        asked = {**ASKED, "reasoner": {"n": 64, "budget": {"tokens": 10_000}}}
        reply = running.post(CHAT, asked).json()
        assert reply["usage"]["completion_tokens"] <= 50
        assert reply["reasoner"]["budget"] == {"tokens": 50}
        assert reply["reasoner"]["searches"][0]["stopped"] == "budget"


def test_a_model_that_fails_is_a_server_error_and_not_paid_again() -> None:
    with serving(Scripted(fail_every=1)) as running:
        reply = running.post(CHAT, ASKED)
        assert reply.status_code == 503 and reply.json()["error"]["type"] == "server_error"
        streamed = running.post(CHAT, {**ASKED, "stream": True})
        assert streamed.status_code == 200 and '"server_error"' in streamed.text
        assert streamed.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_stops_its_search(stream: bool) -> None:
    with serving(Scripted(delay=0.2)) as running:
        body = json.dumps({**ASKED, "model": "toy:mcts", "stream": stream, "reasoner": {"n": 512}})
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            head = f"POST {CHAT} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
            client.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
            _until(lambda: running.backend.usage.completion_tokens > 0)
        _until(lambda: running.server.admission.running == 0)
        spent = running.backend.usage
        time.sleep(0.5)
        assert running.backend.usage == spent and running.backend.running == 0
        metrics = httpx.get(running.url + "/metrics").text
        assert 'why="cancelled"' in metrics
        sampled = re.search(r'kind="decoded",role="generator"\} (\d+)', metrics)
        assert sampled and 0 < int(sampled[1]) <= spent.completion_tokens
        assert len(running.server.admission._spent) == 1, "its key is charged"


def test_a_silent_stream_has_heart_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reasoner.server.server_sent_events.HEART_BEAT", 0.05)
    with serving(Scripted(delay=0.4)) as running:
        reply = running.post(CHAT, {**ASKED, "stream": True})
    assert reply.text.count(": keep-alive") >= 2


def test_metrics_hold_no_text_of_clients(running: Running) -> None:
    running.post(CHAT, {**ASKED, "model": "toy:<script>"})
    running.post(CHAT, ASKED)
    text = httpx.get(running.url + "/metrics").text
    assert "script" not in text.replace("scripted", "")
    assert 'reasoner_tokens_total{kind="decoded",role="generator"}' in text
    assert 'reasoner_search_seconds_count{strategy="majority"}' in text


def test_tokens_of_a_text(running: Running) -> None:
    reply = running.post("/tokenize", {"prompt": "1+2"})
    assert reply.status_code in (200, 404)
    assert httpx.get(running.url + "/tokenizer_info").json() == {"eos_token": ""}


async def test_many_streams_a_third_of_them_cut_leave_nothing_behind() -> None:
    with serving(Scripted(delay=0.01), searches=32, queue=1000) as running:
        async with httpx.AsyncClient(
            timeout=60, limits=httpx.Limits(max_connections=256)
        ) as client:

            async def one(number: int) -> str:
                body = {
                    **ASKED,
                    "model": "toy:beam",
                    "stream": True,
                    "seed": number,
                    "reasoner": {"n": 4},
                }
                async with client.stream("POST", running.url + CHAT, json=body) as reply:
                    if number % 3 == 0:
                        async for _ in reply.aiter_lines():
                            return "cut"
                    return "".join([line async for line in reply.aiter_lines()])

            texts = await asyncio.gather(*map(one, range(256)))
        assert all("[DONE]" in text for text in texts if text != "cut")
        assert texts.count("cut") == 86
        admission = running.server.admission
        _until(lambda: admission.running == admission.waiting == running.backend.running == 0)


def _until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
