"""Measure the client's own CPU time per request at a server, by requests in flight.

    python -m reasoner.benchmarks.studies.http_client [--in-flight 16,256,1024] [--requests 4096] [--json]

The server is a process of its own that answers each request after a fixed delay, in which all others are in
flight. Clients are ours, ours with httpx's own transport, and its-hub's (a development dependency).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from multiprocessing.connection import Connection as Pipe

import httpx

from reasoner.backends.openai import OpenAI
from reasoner.concurrency import gather
from reasoner.types import Problem, Prompt, Sampling

TEXT = "3+4=7\n7+5=12\n#### 12"
MESSAGE = {"role": "assistant", "content": TEXT}
CHOICE = {"index": 0, "text": TEXT, "message": MESSAGE, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 120, "completion_tokens": 20, "total_tokens": 140}
REPLY = json.dumps({"id": "1", "object": "x", "choices": [CHOICE], "usage": USAGE}).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
RATE = 1000.0
"""Requests a second that a server answers: their delay is the number in flight over it."""

Ask = Callable[[int], Awaitable[object]]
Client = Callable[[str], AbstractAsyncContextManager[Ask]]


@contextmanager
def served(delay: float) -> Iterator[str]:
    """Run a server in another process while the block runs; yield its address."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, delay), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/v1"
    finally:
        process.kill()
        process.join()


def serve(pipe: Pipe, delay: float) -> None:
    """Answer requests after `delay` seconds, for ever; send the port to `pipe`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            sizes = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
            body = REPLY if sizes else b"{}"
            await reader.readexactly(int(sizes[0].split(b":")[1]) if sizes else 0)
            await asyncio.sleep(delay)
            writer.write(HEAD % len(body) + body)

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4096)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Return the head of the next request; nothing once the client has closed the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


@asynccontextmanager
async def ours(
    address: str, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Ask]:
    """Yield a function that samples once from a server with the backend `openai`."""
    backend = OpenAI("m", base_url=address, chat=True, connections=10_000, transport=transport)
    yield lambda i: backend.generate(Prompt(Problem(str(i), f"3+4+{i}")), Sampling(max_tokens=64))
    await backend.aclose()


def httpx_transport(address: str) -> AbstractAsyncContextManager[Ask]:
    """Return the same with httpx's own transport."""
    limits = httpx.Limits(max_connections=None)
    return ours(address, httpx.AsyncHTTPTransport(verify=False, limits=limits))


@asynccontextmanager
async def its_hub(address: str) -> AsyncIterator[Ask]:
    """Yield a function that samples once with its-hub's client."""
    from its_hub.api.types import ChatMessage
    from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel

    model = OpenAICompatibleLanguageModel(address, "none", "m", max_completion_tokens=64)

    def ask(i: int) -> Awaitable[object]:
        answer: Awaitable[object] = model.agenerate_single([ChatMessage("user", f"3+4+{i}")])
        return answer

    yield ask
    await model.close()


CLIENTS: dict[str, Client] = {
    "reasoner": ours,
    "reasoner, httpx's transport": httpx_transport,
    "its-hub": its_hub,
}


async def measure(client: Client, address: str, in_flight: int, requests: int) -> float:
    """Return the CPU milliseconds of a request, after as many as are in flight to warm up."""
    room = asyncio.Semaphore(in_flight)
    async with client(address) as ask:

        async def one(i: int) -> None:
            async with room:
                await ask(i)

        await gather(one(i) for i in range(in_flight))
        before = time.process_time()
        await gather(one(i) for i in range(requests))
        return 1000 * (time.process_time() - before) / requests


def main() -> None:
    """Measure, and print a table or JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--in-flight", default="16,256,1024", metavar="N,...")
    parser.add_argument("--requests", type=int, default=4096)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for in_flight in map(int, args.in_flight.split(",")):
        for name, client in CLIENTS.items():
            with served(in_flight / RATE) as address:
                cost = asyncio.run(measure(client, address, in_flight, args.requests))
            row = {"in_flight": in_flight, "client": name, "ms": round(cost, 3)}
            print(
                json.dumps(row) if args.json else f"{in_flight:6} {name:28} {cost:7.3f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
