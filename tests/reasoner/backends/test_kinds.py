"""The same conformance run against every kind of server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from reasoner.api import Reasoner
from reasoner.backends.openai import OpenAI
from reasoner.errors import ConfigError
from reasoner.events import Stopped
from reasoner.suitability import default_verifier
from reasoner.types import Finish, Problem, Prompt, Sampling, Usage
from tests.reasoner.backends.kinds import CACHED, DECODED, KINDS, PROMPT, STEPS, THOUGHT, Kind

PROBLEM = Problem("p", "1+2")
TEXT = "".join(STEPS)
CONTINUING = ("vllm", "llama.cpp")
SEPARATE = ("vllm", "deepseek", "ollama", "llama.cpp", "other")
SETTINGS: dict[str, dict[str, Any]] = {
    "top_k": {"top_k": 40},
    "min_p": {"min_p": 0.1},
    "reasoning_effort": {"reasoning_effort": "low"},
}


@pytest_asyncio.fixture(params=KINDS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Kind]:
    kind = Kind(request.param)
    async with kind.running():
        yield kind


def client(server: Kind, **settings: Any) -> OpenAI:
    return OpenAI("m", base_url=server.url, retries=0, timeout=5.0, **settings)


def text_of(server: Kind) -> str:
    """The candidate: the thinking, where the server sends it, and the text."""
    return f"<think>\n{THOUGHT}\n</think>\n\n{TEXT}" if server.behaviour.thinking else TEXT


async def test_the_defaults_solve_a_problem(server: Kind) -> None:
    async with Reasoner("m", backend="openai", base_url=server.url, retries=0) as reasoner:
        results = await reasoner.asolve_many(["1+2", "2+1"])
    assert [r.answer for r in results] == ["3", "3"]
    assert [(r.stopped, r.error) for r in results] == [(Stopped.DONE, None)] * 2
    assert all(r.scored_by == "agreement" and len(r.candidates) == 16 for r in results)
    assert len(set(server.sessions)) == 2 and "" not in server.sessions


async def test_thinking_and_text(server: Kind) -> None:
    backend = client(server)
    [whole] = (await backend.generate(Prompt(PROBLEM), Sampling())).completions
    watched = await backend.watch(Prompt(PROBLEM), Sampling(), lambda _: False)
    await backend.aclose()
    assert whole.text == watched.completions[0].text == text_of(server)
    assert whole.finish is watched.completions[0].finish is Finish.EOS


async def test_samples_and_their_usage(server: Kind) -> None:
    backend = client(server)
    generations = [await backend.generate(Prompt(PROBLEM), Sampling(n=3)) for _ in range(2)]
    await backend.aclose()
    assert [len(g.completions) for g in generations] == [3, 3]
    assert len(server.bodies) == (2 if server.name == "openai" else 6)
    usage = generations[1].usage
    if server.name == "other":
        assert usage.estimated_tokens == usage.prompt_tokens + usage.completion_tokens > 0
        assert usage.completion_tokens == 3 * Sampling().max_tokens
        return
    requests = 1 if server.name == "openai" else 3
    cached = 0 if server.name == "ollama" else CACHED
    hidden = (
        5 if server.name == "openai" else 0
    )  # Thinking that the server counts and does not send.
    expected = Usage(1, requests * PROMPT, requests * cached, 3 * DECODED)
    assert usage == replace(expected, thinking_tokens=hidden)


async def test_the_usage_of_a_stream(server: Kind) -> None:
    backend = client(server)
    usage = (await backend.watch(Prompt(PROBLEM), Sampling(), lambda _: False)).usage
    await backend.aclose()
    assert usage.requests == 1
    if server.name != "other":
        assert (usage.prompt_tokens, usage.completion_tokens) == (PROMPT, DECODED)
        assert usage.estimated_tokens == 0


async def test_steps_are_continued_or_refused_before_the_first_token(server: Kind) -> None:
    settings: dict[str, Any] = {"strategy": "beam(n=2, branch=1)", "verifier": "critic"}
    async with Reasoner("m", backend="openai", base_url=server.url, **settings) as reasoner:
        if server.name not in CONTINUING:
            known = "chat=True" if server.name == "other" else "'beam' continues unfinished"
            with pytest.raises(ConfigError, match=rf"{known}.*'best-of-n'"):
                await reasoner.asolve("1+2")
            assert server.bodies == []
            return
        result = await reasoner.asolve("1+2")
    assert result.error is None and result.answer == "3"
    assert next(len(s.candidate.completions) for s in result.candidates) >= 2


async def test_a_stop_string_ends_a_step(server: Kind) -> None:
    chat = True if server.name == "other" else None
    backend, sampling = client(server, chat=chat), Sampling(stop=("\n",))
    [step] = (await backend.generate(Prompt(PROBLEM), sampling)).completions
    assert step.text.endswith(STEPS[0]) and step.finish is Finish.STOP
    continuing = Prompt(PROBLEM).extend(step)
    if server.name in CONTINUING:
        [end] = (await backend.generate(continuing, sampling)).completions
        assert end.text.removesuffix("\n") == STEPS[1]
    else:
        with pytest.raises(ConfigError, match="cannot continue the beginning"):
            await backend.generate(continuing, sampling)
    await backend.aclose()


@pytest.mark.parametrize("field", SETTINGS)
async def test_a_sampling_field_is_sent_or_refused(server: Kind, field: str) -> None:
    backend = client(server, **SETTINGS[field])
    refused = {
        "openai": ("top_k", "min_p"), "deepseek": ("top_k", "min_p"), "ollama": ("top_k", "min_p"),
        "llama.cpp": ("reasoning_effort",), "other": tuple(SETTINGS), "vllm": (),
    }[server.name]  # fmt: skip
    if field in refused:
        message = "Unrecognized request" if server.name == "other" else f"does not take {field}"
        with pytest.raises(ConfigError, match=message):
            await backend.generate(Prompt(PROBLEM), Sampling())
        assert server.bodies == []
    else:
        await backend.generate(Prompt(PROBLEM), Sampling())
        assert server.bodies[0][field] == SETTINGS[field][field]
    await backend.aclose()


async def test_the_limit_of_tokens_goes_by_the_name_that_the_server_knows(server: Kind) -> None:
    backend = client(server, max_tokens=7)
    await backend.generate(Prompt(PROBLEM), Sampling(max_tokens=20))
    await backend.aclose()
    name = "max_completion_tokens" if server.name == "openai" else "max_tokens"
    assert server.bodies[0][name] == 7


async def test_parameters_let_flops_be_counted(server: Kind) -> None:
    backend = client(server, parameters=1e9, context=100)
    usage = (await backend.generate(Prompt(PROBLEM), Sampling(max_tokens=50))).usage
    await backend.aclose()
    assert usage.flops == 2e9 * (usage.fresh_tokens + usage.completion_tokens) > 0


def test_an_unknown_server_gets_defaults_that_rely_on_nothing() -> None:
    from reasoner.registry import strategies

    names = {
        n: default_verifier(strategies.make(n), OpenAI("m")) for n in ("best-of-n", "majority")
    }
    assert names == {"best-of-n": "agreement", "majority": None}
    assert default_verifier(strategies.make("adaptive-best-of-n"), OpenAI("m")) == "judge"
    sure = OpenAI("m", server="vllm")
    assert default_verifier(strategies.make("best-of-n"), sure) == "confidence"
