"""The embedded GPT behind the server: every strategy, and usage that equals the engine's own counters."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from reasoner.api import EMBEDDED
from reasoner.benchmarks.tasks.dagmath import DagMath
from reasoner.registry import strategies
from tests import engines
from tests.needs import need
from tests.reasoner.server.conftest import Running, serving

need("vllm")

from reasoner.backends.vllm import VLLM

pytestmark = engines.ALONE
PROBLEM = next(DagMath().examples("dev", 1)).problem.prompt
SETTLED = ("majority", "best-of-n", "weighted", "beam", "dvts", "particle", "greedy")
"""Strategies that give no sample up half-way, of which the engine may decode a little more."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    backend = VLLM(str(EMBEDDED), kv_cache_gib=1, disable_log_stats=False)
    with serving(backend, task="dagmath", budget={"tokens": 3000}) as started:
        yield started


def counted() -> tuple[int, int, int]:
    """Return the engine's counts of prompt, cached and decoded tokens."""
    from prometheus_client import REGISTRY

    values = {s.name: s.value for m in REGISTRY.collect() for s in m.samples}
    names = ("prompt_tokens", "prefix_cache_hits", "generation_tokens")
    prompt, cached, decoded = (int(values.get(f"vllm:{n}_total", 0)) for n in names)
    return prompt, cached, decoded


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", strategies.names())
def test_strategy(engine: Running, name: str, stream: bool) -> None:
    before = counted()
    asked = {
        "model": f"toy:{name}", "messages": [{"role": "user", "content": PROBLEM}], "seed": 1,
        "stream": stream, "stream_options": {"include_usage": True}, "reasoner": {"n": 4},
    }  # fmt: skip
    reply = engine.post("/v1/chat/completions", asked)
    if reply.status_code == 400:
        assert name in ("budget-forcing", "fallback", "parallel-probe", "rsa", "short-m"), (
            reply.text
        )
        return
    assert reply.status_code == 200 and '"error": {' not in reply.text, reply.text
    if stream:
        assert reply.text.endswith("data: [DONE]\n\n")
        return
    usage = reply.json()["usage"]
    spent = [after - start for after, start in zip(counted(), before, strict=True)]
    if name in SETTLED:
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        assert spent == [usage["prompt_tokens"], cached, usage["completion_tokens"]]
    else:
        assert spent[2] >= usage["completion_tokens"]


def test_the_metrics_of_the_engine_stand_beside_the_servers(engine: Running) -> None:
    text = httpx.get(engine.url + "/metrics").text
    assert "vllm:generation_tokens_total" in text and "reasoner_tokens_total" in text


def test_answers_that_are_held_to_a_schema(engine: Running) -> None:
    held = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}}
    asked = {
        "model": "toy:majority", "messages": [{"role": "user", "content": PROBLEM}], "seed": 1,
        "response_format": held, "max_tokens": 20, "reasoner": {"n": 4},
    }  # fmt: skip
    reply = engine.post("/v1/chat/completions", asked)
    assert reply.status_code == 200, reply.text
    assert isinstance(json.loads(reply.json()["choices"][0]["message"]["content"]), int)
