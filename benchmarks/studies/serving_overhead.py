"""Measure what `reasoner serve` adds to the server of the model itself, and to a search in this process.

    python -m reasoner.benchmarks.studies.serving_overhead [--problems 64] [--concurrency 32] [--out FILE.json]

The embedded GPT solves problems of `dagmath`, one sample each, on `python -m reasoner.backends.vllm_server`
and on `reasoner serve` in turn, over HTTP; then by best-of-16 on `reasoner serve` and in this process. One
engine runs at a time. CPU seconds are those of the server's own process, without its engine's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import httpx

from reasoner.api import EMBEDDED, Reasoner
from reasoner.benchmarks.store.environment import describe
from reasoner.benchmarks.tasks.dagmath import DagMath
from reasoner.files import save_json

BARE = ("-m", "reasoner.backends.vllm_server", str(EMBEDDED), "--served-model-name", "gpt")
OURS = ("-m", "reasoner", "serve", "--name", "gpt", "--task", "dagmath")
SAMPLES = 16
START = 300.0
"""Seconds in which a server has to start."""


@dataclass(frozen=True, slots=True)
class ServedLoad:
    """One load: requests and decoded tokens per second, the median latency, and CPU per request.

    `cpu` is that of the server's own process, 0 for a search in this process.
    """

    server: str
    work: str
    requests: int
    seconds: float
    requests_per_second: float
    tokens_per_second: float
    median_latency: float
    cpu_per_request: float


@contextmanager
def server(command: Sequence[str]) -> Generator[tuple[str, int]]:
    """Run a server; yield its address and process id, once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [sys.executable, *command, "--port", str(port), "--host", "127.0.0.1"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(arguments, stdout=quiet, stderr=quiet) as process:
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START
        while not answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise SystemExit(f"{' '.join(command)} does not start")
            time.sleep(0.5)
        try:
            yield address, process.pid
        finally:
            process.terminate()


def answers(address: str) -> bool:
    """Return whether a server is ready."""
    try:
        return httpx.get(f"{address}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def cpu(process: int) -> float:
    """Return the CPU seconds that a process itself has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(
    name: str,
    work: str,
    prompts: Sequence[str],
    concurrency: int,
    one: Callable[[str], Awaitable[int]],
    process: int = 0,
) -> ServedLoad:
    """Have `one` solve every prompt, `concurrency` at a time; it returns the tokens that were decoded."""
    places, latencies = asyncio.Semaphore(concurrency), list[float]()

    async def timed(prompt: str) -> int:
        async with places:
            began = time.monotonic()
            tokens = await one(prompt)
            latencies.append(time.monotonic() - began)
            return tokens

    before, began = cpu(process) if process else 0.0, time.monotonic()
    tokens = sum(await asyncio.gather(*map(timed, prompts)))
    seconds, used = time.monotonic() - began, (cpu(process) if process else 0.0) - before
    return ServedLoad(
        server=name,
        work=work,
        requests=len(prompts),
        seconds=round(seconds, 3),
        requests_per_second=round(len(prompts) / seconds, 3),
        tokens_per_second=round(tokens / seconds, 1),
        median_latency=round(median(latencies), 4),
        cpu_per_request=round(used / len(prompts), 5),
    )


async def over_http(
    name: str,
    address: str,
    process: int,
    prompts: Sequence[str],
    concurrency: int,
    samples: int = 1,
) -> ServedLoad:
    """Measure a server: of the search, or of the model itself, which takes the whole prompt."""
    limits = httpx.Limits(max_connections=concurrency)
    async with httpx.AsyncClient(base_url=address, timeout=600, limits=limits) as client:

        async def one(prompt: str) -> int:
            body: dict[str, object] = {
                "model": "gpt", "prompt": prompt, "max_tokens": 200, "temperature": 1.0, "top_p": 0.95,
            }  # fmt: skip
            if samples > 1:
                body |= {"model": "gpt:best-of-n", "reasoner": {"n": samples}}
            reply = await client.post("/v1/completions", json=body)
            reply.raise_for_status()
            tokens: int = reply.json()["usage"]["completion_tokens"]
            return tokens

        work = "one sample" if samples == 1 else f"best of {samples}"
        await one(prompts[0])  # The first request imports and compiles what is missing.
        return await load(name, work, prompts, concurrency, one, process)


async def in_process(prompts: Sequence[str], concurrency: int) -> ServedLoad:
    """Measure the same search in this process."""
    from reasoner.search.best_of_n import BestOfN

    async with Reasoner(
        task="dagmath", strategy=BestOfN(n=SAMPLES), temperature=1.0, top_p=0.95, max_tokens=200
    ) as reasoner:

        async def one(prompt: str) -> int:
            return (await reasoner.asolve(prompt)).usage.completion_tokens

        await one(prompts[0])
        return await load("in process", f"best of {SAMPLES}", prompts, concurrency, one)


def measure(problems: int, concurrency: int) -> list[ServedLoad]:
    """Return every load, the servers in turn and twice, so that a busy moment does not favour one."""
    examples = DagMath().examples("dev", problems)
    prompts, rows = [e.problem.prompt for e in examples], list[ServedLoad]()
    for _ in range(2):
        for name, command in (("vllm serve", BARE), ("reasoner serve", OURS)):
            with server(command) as (address, process):
                rows.append(
                    asyncio.run(over_http(name, address, process, prompts * 4, concurrency))
                )
                if command is OURS:
                    few = concurrency // 4
                    rows.append(
                        asyncio.run(over_http(name, address, process, prompts, few, SAMPLES))
                    )
        rows.append(asyncio.run(in_process(prompts, concurrency // 4)))
    return rows


def main() -> None:
    """Print a line for each load, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path("runs/serving-overhead.json"))
    args = parser.parse_args()
    rows = measure(args.problems, args.concurrency)
    for row in rows:
        print(
            f"{row.server:15} {row.work:11} {row.requests_per_second:8.2f} requests/s"
            f" {row.tokens_per_second:8.0f} tokens/s  median {row.median_latency:.3f} s"
            f"  own CPU {row.cpu_per_request * 1000:.2f} ms a request"
        )
    about = describe(sys.argv[1:], "python -m reasoner.benchmarks.studies.serving_overhead")
    print(save_json({**about, "loads": [asdict(row) for row in rows]}, args.out))


if __name__ == "__main__":
    main()
