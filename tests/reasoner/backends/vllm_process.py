"""vLLM's own server in a process, for as long as a test needs it, and its own counts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from reasoner.types import Usage

SERVER = "vllm.entrypoints.openai.api_server"
"""The module behind `vllm serve`: that command asks for the version of a package named `vllm`."""
QUIET = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}


@contextmanager
def serving(folder: Path, *arguments: str, module: str = SERVER) -> Iterator[str]:
    """Yield the address of a server on loopback, which writes its log into a folder."""
    port = free_port()
    command = [sys.executable, "-m", module, *arguments, "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "serve.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, env=os.environ | QUIET, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait(f"http://127.0.0.1:{port}/health", process, log.read_text)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        end(process)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(15)


def wait(url: str, process: subprocess.Popen[bytes], log: Callable[[], str]) -> None:
    """Wait until the server answers; fail if it ended."""
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    pytest.fail(f"vLLM's server did not come up:\n{log()[-2000:]}")


def counted(url: str) -> Usage:
    """Return the server's own counts, once nothing runs any more."""
    for _ in range(100):
        counts = metrics(httpx.get(url.removesuffix("/v1") + "/metrics").text.splitlines())
        if counts["vllm:num_requests_running"] == counts["vllm:num_requests_waiting"] == 0:
            names = ("prompt_tokens", "prefix_cache_hits", "generation_tokens")
            return Usage(0, *(int(counts[f"vllm:{n}_total"]) for n in names))
        time.sleep(0.02)
    pytest.fail("the server is still busy")


def metrics(lines: Sequence[str]) -> dict[str, float]:
    """Return vLLM's values in Prometheus' text format, by name without labels."""
    pairs = (line.rpartition(" ") for line in lines if line.startswith("vllm:"))
    return {name.partition("{")[0]: float(value) for name, _, value in pairs}


def check_counts(paid: Usage, before: Usage, after: Usage, given_up: int = 0) -> None:
    """Check that the ledger has what the server counted.

    Of a sample that is given up, no server tells what was cached, and a few tokens come too late.
    """
    assert paid.prompt_tokens == after.prompt_tokens - before.prompt_tokens
    cached = after.cached_tokens - before.cached_tokens
    assert paid.cached_tokens <= cached if given_up else paid.cached_tokens == cached
    late = after.completion_tokens - before.completion_tokens - paid.completion_tokens
    assert 0 <= late <= 16 * given_up
