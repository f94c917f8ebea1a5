"""Every reply of a server ends in an answer or in one clear error, in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from reasoner.backends.connection import MESSAGE
from reasoner.backends.headers import retry_after
from reasoner.backends.openai import OpenAI
from reasoner.budget import Budget
from reasoner.errors import AccessDenied, BackendError, ConfigError
from reasoner.events import Result, Stopped
from reasoner.run import Run
from reasoner.search.majority import Majority
from reasoner.solving import solve
from reasoner.trace import Node
from reasoner.traits import StrategyTraits
from reasoner.types import Problem, Prompt, Sampling
from tests.reasoner.backends import faults, loopback
from tests.reasoner.backends.loopback import KEY, Loopback

SAMPLING = Sampling(max_tokens=20)
QUICK: dict[str, Any] = {
    "api_key": KEY, "retries": 1, "backoff": 0.001, "longest_pause": 0.01, "timeout": 0.25,
    "patience": 5.0, "max_body": 300_000,
}  # fmt: skip
LONG = 30.0
"""Seconds by which a call has ended, on a machine that has other work too."""

WHOLE = faults.ANSWERED | faults.FAILED | faults.REFUSED | faults.DENIED
STREAMS = faults.STREAMS_ANSWERED | faults.STREAMS_FAILED


class Watched:
    """Samples that are watched, and never given up."""

    traits = StrategyTraits(verifier="unneeded")

    async def search(self, run: Run) -> Node:
        """Sample twice."""
        return run.offer((await run.expand([run.trace.root], n=2, halt=lambda: lambda _: False))[0])


@pytest_asyncio.fixture
async def whole() -> AsyncIterator[Loopback]:
    async with Loopback(WHOLE).running() as server:
        yield server


@pytest_asyncio.fixture
async def streaming() -> AsyncIterator[Loopback]:
    async with Loopback(STREAMS).running() as server:
        yield server


async def ask(
    server: Loopback, fault: str, strategy: Any = Majority(n=2), **settings: Any
) -> Result:
    """Solve a problem on which the server has that fault."""
    backend, began = OpenAI("m", base_url=server.url, **QUICK | settings), time.monotonic()
    try:
        problem = Problem("p", f"<{fault}>")
        return await solve(problem, strategy, backend, sampling=SAMPLING, budget=Budget(tokens=100))
    finally:
        await backend.aclose()
        assert time.monotonic() - began < LONG


def check_message(message: str) -> None:
    """It is one line, not too long, and has no secret."""
    assert "\n" not in message and 20 < len(message) <= MESSAGE
    assert KEY[:-1] not in message
    message.encode()


def check_answer(result: Result) -> None:
    """It can be kept, and was paid for."""
    assert result.stopped is not Stopped.ERROR, result.error
    [first, *_] = [node.completion for node in result.trace if node.completion]
    first.text.encode()
    assert result.usage.completion_tokens > 0
    assert min(result.usage.prompt_tokens, result.usage.cached_tokens) >= 0


def check_error(result: Result) -> None:
    """It is told, and gives nothing back."""
    assert result.stopped is Stopped.ERROR and result.error
    check_message(result.error)
    assert result.usage.completion_tokens >= 0 and result.usage.prompt_tokens >= 0


@pytest.mark.parametrize("fault", faults.ANSWERED)
async def test_a_fault_that_a_call_survives(whole: Loopback, fault: str) -> None:
    check_answer(await ask(whole, fault, timeout=5.0))


@pytest.mark.parametrize("fault", faults.FAILED)
async def test_a_fault_that_ends_a_call(whole: Loopback, fault: str) -> None:
    check_error(await ask(whole, fault))


@pytest.mark.parametrize("fault", faults.REFUSED)
async def test_a_refusal_of_one_request(whole: Loopback, fault: str) -> None:
    with pytest.raises(ConfigError) as told:
        await ask(whole, fault, timeout=5.0)
    # The one that names `n` is asked again for one sample.
    assert not isinstance(told.value, AccessDenied)
    assert whole.times[fault] == (2 if fault == "422" else 1)
    check_message(str(told.value))


@pytest.mark.parametrize("fault", faults.DENIED)
async def test_a_refusal_of_all_requests(whole: Loopback, fault: str) -> None:
    with pytest.raises(AccessDenied, match="check") as told:
        await ask(whole, fault, timeout=5.0)
    assert whole.times[fault] == 1
    check_message(str(told.value))


@pytest.mark.parametrize("fault", faults.STREAMS_ANSWERED)
async def test_a_stream_that_a_call_survives(streaming: Loopback, fault: str) -> None:
    result = await ask(streaming, fault, Watched(), timeout=2.0)
    check_answer(result)
    [first, *_] = [node.completion for node in result.trace if node.completion]
    assert first.text.startswith("#") and "4" in first.text


@pytest.mark.parametrize("fault", faults.STREAMS_FAILED)
async def test_a_stream_that_ends_a_call(streaming: Loopback, fault: str) -> None:
    check_error(await ask(streaming, fault, Watched()))


def test_the_faults_are_many() -> None:
    assert len(WHOLE) + len(STREAMS) >= 150


@pytest.mark.parametrize(
    ("fault", "decoded"),
    [
        ("usage-null", 2 * 20),
        ("usage-empty", 2 * 20),
        ("usage-completion-null", 2 * 20),
        ("usage-more-than-asked", 1000),
        ("", 4),
    ],
)
async def test_what_a_server_does_not_tell_counts_at_its_bound(
    whole: Loopback, fault: str, decoded: int
) -> None:
    assert (await ask(whole, fault, timeout=5.0)).usage.completion_tokens == decoded


@pytest.mark.parametrize(
    ("fault", "decoded"),
    [("usage-falls", 15), ("without-usage", 20), ("stalls-after-the-end", 20), ("", 4)],
)
async def test_usage_never_falls_in_a_stream(streaming: Loopback, fault: str, decoded: int) -> None:
    result = await ask(streaming, fault, Watched(), timeout=2.0)
    assert result.usage.completion_tokens == 2 * decoded


async def test_a_key_in_pieces_is_not_told(whole: Loopback) -> None:
    key = "'\"\\" + KEY
    async with Loopback({"e": loopback.whole(loopback.http(f"['{key}'", 400))}).running() as server:
        with pytest.raises(ConfigError) as told:
            await ask(server, "e", api_key=key, timeout=5.0)
    assert "very-secret" not in str(told.value)


async def test_the_pause_asked_for_is_capped_and_kept(whole: Loopback) -> None:
    began = time.monotonic()
    await ask(whole, "429-later", longest_pause=0.5, timeout=5.0)
    assert 0.5 <= time.monotonic() - began < LONG


async def test_all_tries_together_are_capped(whole: Loopback) -> None:
    result = await ask(whole, "silent", retries=1000, patience=0.6, timeout=0.2)
    assert result.error and "after" in result.error
    assert 1 < whole.times["silent"] < 10


async def test_only_so_many_requests_are_under_way() -> None:
    running, most = 0, 0

    async def slow(_: Any, __: int) -> AsyncIterator[bytes]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        yield loopback.http({"choices": [loopback.choice()]})

    async with Loopback({"slow": slow}).running() as server:
        backend = OpenAI("m", base_url=server.url, connections=3, separate=True)
        await backend.generate(Prompt(Problem("p", "<slow>")), Sampling(n=10))
        await backend.aclose()
    assert most == 3


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("", 0), ("7", 7), ("-7", 0), ("nan", 0), ("inf", float("inf")), ("soon", 0),
     ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Thu, 01 Jan 99999999 00:00:00 GMT", 0)],
)  # fmt: skip
def test_retry_after(value: str, seconds: float) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8000", "ftp://h/v1", "http://", "http:///v1", "http://h:99999/v1", "http://h:0/v1",
     "http://h:port/v1", "http://h:-1/v1", "http://[::1/v1", "http://h /v1", "http://h/v1?a=1",
     "http://h/v1#a", "http://\ud800/v1", "http://h\0/v1", "http://xn--/v1", "http://" + "a" * 70_000, 5],
    ids=ascii,
)  # fmt: skip
def test_an_address_that_is_none_is_refused(url: Any) -> None:
    with pytest.raises(ConfigError, match="base_url") as told:
        OpenAI("m", base_url=url)
    check_message(str(told.value))


@pytest.mark.parametrize("user", [f"user:{KEY}@", f"{KEY}@", f":{KEY}@"])
@pytest.mark.parametrize("rest", ["h:99999/v1", "h:port/v1", "h/v1?a=1"])
def test_a_wrong_address_is_refused_without_its_password(user: str, rest: str) -> None:
    with pytest.raises(ConfigError, match="base_url") as told:
        OpenAI("m", base_url=f"http://{user}{rest}")
    check_message(str(told.value))


@pytest.mark.parametrize("key", ["a\nb", "schlüssel", "\ud800", 5])
def test_a_key_that_no_header_can_hold_is_refused(key: Any) -> None:
    with pytest.raises(ConfigError, match="api_key"):
        OpenAI("m", api_key=key)


async def test_a_body_may_be_as_large_as_allowed(whole: Loopback) -> None:
    backend = OpenAI("m", base_url=whole.url, max_body=50)
    with pytest.raises(BackendError, match="max_body"):
        await backend.generate(Prompt(Problem("p", "")), Sampling())
    await backend.aclose()
