"""Several servers of one model: where problems go, and what happens when a server fails."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from reasoner.backends import fleet
from reasoner.backends.fleet import Fleet
from reasoner.benchmarks.store.database import Database
from reasoner.cli import main
from reasoner.concurrency import gather
from reasoner.errors import AccessDenied, BackendError, ConfigError
from reasoner.types import Problem, Prompt, Sampling
from tests.needs import need

Captured = pytest.CaptureFixture[str]
A, B, C = (f"http://{name}/v1" for name in "abc")


class Servers:
    """Servers that answer by the script of their host: a number of a status, or a reply."""

    def __init__(self, **failing: int) -> None:
        self.failing, self.calls = failing, list[tuple[str, str]]()
        self.gate: asyncio.Event | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404)
        body = json.loads(request.content)
        self.calls.append((request.url.host, body["prompt"]))
        if self.gate:
            await self.gate.wait()
        if status := self.failing.get(request.url.host):
            return httpx.Response(status, json={"error": {"message": "broken"}})
        choice = {"index": 0, "text": "42", "finish_reason": "stop"}
        return httpx.Response(
            200, json={"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
        )

    def backend(self, *addresses: str) -> Fleet:
        return Fleet(
            "m", base_url=",".join(addresses), chat=False, backoff=0.0, retries=1,
            transport=httpx.MockTransport(self),
        )  # fmt: skip

    def hosts(self, prompt: str) -> set[str]:
        """Return the servers that a problem was at."""
        return {host for host, asked in self.calls if asked.startswith(prompt)}


def posed(name: str) -> Prompt:
    return Prompt(Problem(name, name))


async def test_problems_are_spread_and_each_stays_where_it_is() -> None:
    servers = Servers()
    servers.gate = asyncio.Event()
    backend = servers.backend(A, B, C)
    calls = gather(backend.generate(posed(f"p{i};"), Sampling()) for i in range(9))
    running = asyncio.ensure_future(calls)
    while len(servers.calls) < 9:
        await asyncio.sleep(0)
    servers.gate.set()
    await running
    assert Counter(host for host, _ in servers.calls) == {"a": 3, "b": 3, "c": 3}
    for _ in range(3):
        await gather(backend.generate(posed(f"p{i};"), Sampling()) for i in range(9))
    assert all(len(servers.hosts(f"p{i};")) == 1 for i in range(9))


async def test_a_busy_server_gets_no_further_problem() -> None:
    servers = Servers()
    servers.gate = asyncio.Event()
    backend = servers.backend(A, B)
    large = asyncio.ensure_future(backend.generate(posed("large;"), Sampling(n=8)))
    while not servers.calls:
        await asyncio.sleep(0)
    small = [asyncio.ensure_future(backend.generate(posed(f"{i};"), Sampling())) for i in range(6)]
    while len(servers.calls) < 7:
        await asyncio.sleep(0)
    servers.gate.set()
    await asyncio.gather(large, *small)
    assert servers.hosts("large;") == {"a"} and all(
        servers.hosts(f"{i};") == {"b"} for i in range(6)
    )


async def test_a_server_that_fails_rests_and_its_problems_move(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    servers = Servers(a=503)
    backend = servers.backend(A, B)
    for i in range(4):
        reply = await backend.generate(posed(f"{i};"), Sampling())
        assert reply.completions[0].text == "42"
    assert [host for host, _ in servers.calls] == ["a", "a", "b", "b", "b", "b"]
    assert "http://a/v1 failed and rests for 30 seconds" in caplog.text
    servers.failing.clear()
    monkeypatch.setattr(fleet, "time", Later)
    await backend.generate(posed("new;"), Sampling())
    assert servers.hosts("new;") == {"a"} and servers.hosts("0;") == {"a", "b"}


class Later:
    """A clock that is a minute ahead."""

    @staticmethod
    def monotonic() -> float:
        return time.monotonic() + 60


async def test_all_servers_failing_is_the_last_ones_error() -> None:
    backend = Servers(a=503, b=500).backend(A, B)
    with pytest.raises(BackendError, match="broken"):
        await backend.generate(posed("p"), Sampling())
    # They rest, and are asked all the same: there is no other.
    with pytest.raises(BackendError, match="broken"):
        await backend.generate(posed("p"), Sampling())


async def test_a_refusal_is_not_repeated_elsewhere() -> None:
    servers = Servers(a=401)
    with pytest.raises(AccessDenied):
        await servers.backend(A, B).generate(posed("p"), Sampling())
    assert {host for host, _ in servers.calls} == {"a"}


@pytest.mark.parametrize(
    ("addresses", "settings"),
    [(f"{A},{A}", {}), (f"{A},", {}), (",", {}), (f"{A},nowhere", {}), (f"{A},{B}", {"retries": -1}), (f"{A},{B}", {"retris": 1})],
)  # fmt: skip
def test_wrong_settings(addresses: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Fleet("m", base_url=addresses, **settings)


# -- real servers ------------------------------------------------------------------------------------


@contextmanager
def served() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server of its own process."""
    slow = ["--backend", "scripted(delay=0.05)"]
    command = [sys.executable, "-m", "reasoner", "serve", "scripted", "--port", "0", *slow]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        address = re.search(r"http://127.0.0.1:\d+/v1", process.stderr.readline())
        assert address
        try:
            yield address[0], process
        finally:
            process.send_signal(signal.SIGKILL)


def kill_when_busy(address: str, process: subprocess.Popen[str]) -> None:
    """Kill a server once it has answered a few requests."""
    while True:
        text = httpx.get(address.replace("/v1", "/metrics")).text
        answered = re.search(r'endpoint="/v1/(?:chat/)?completions"} (\d+)', text)
        if answered and int(answered[1]) > 3:
            process.kill()
            process.wait()
            return
        time.sleep(0.01)


@pytest.mark.slow
def test_a_run_survives_a_server_that_is_killed(tmp_path: Path, capsys: Captured) -> None:
    need("uvicorn")
    argv = [
        "bench", "--model", "scripted", "--task", "countdown", "--strategy", "majority,best-of-n",
        "--verifier", "arithmetic", "--n", "1,4", "--problems", "24", "--concurrency", "4", "--json",
    ]  # fmt: skip
    with ExitStack() as stack:
        (first, _), (second, process) = (stack.enter_context(served()) for _ in range(2))
        killer = threading.Thread(target=kill_when_busy, args=(second, process))
        killer.start()
        assert main([*argv, "--base-url", f"{first},{second}", "--out", str(tmp_path / "two")]) == 0
    with Database.reading(tmp_path / "two") as database:
        assert database
        [[failed]] = database.execute("SELECT count(*) FROM records WHERE error IS NOT NULL")
        [[every]] = database.execute("SELECT count(*) FROM records")
    killer.join()
    assert (failed, every) == (0, 24) and process.poll() == -signal.SIGKILL
    capsys.readouterr()
