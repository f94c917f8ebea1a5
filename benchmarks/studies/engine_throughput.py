"""Measure the throughput of a search through `Reasoner` against that of the bare engine.

    python -m reasoner.benchmarks.studies.engine_throughput [MODEL] [--problems 256] [--n 64] [--json]

The bare loop sends the same prompts directly to the same running engine. All three measurements are
taken in one run, since machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any

from reasoner.api import EMBEDDED, Reasoner
from reasoner.backends.vllm import VLLM
from reasoner.base import Task
from reasoner.registry import strategies, tasks
from reasoner.types import Problem, Sampling


async def bare(backend: VLLM, problems: list[Problem], n: int, sampling: Sampling) -> int:
    """Sample `n` solutions of every problem directly from the engine; return the number of decoded tokens."""
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    engine = await backend.start()
    params = SamplingParams(
        n=n, temperature=sampling.temperature, top_p=sampling.top_p, max_tokens=sampling.max_tokens,
        detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY,
        stop_token_ids=sorted(backend.checkpoint.ends),
    )  # fmt: skip

    async def one(problem: Problem) -> int:
        ids = backend.checkpoint.tokenizer.encode(problem.prompt)
        decoded = 0
        async for output in engine.generate(
            {"prompt_token_ids": ids}, params, f"bare-{problem.id}"
        ):
            decoded = sum(len(o.token_ids) for o in output.outputs)
        return decoded

    return sum(await asyncio.gather(*(one(p) for p in problems)))


async def searched(backend: VLLM, task: Task, problems: list[Problem], name: str, n: int) -> int:
    """Run a strategy on every problem through `Reasoner`; return the number of decoded tokens."""
    reasoner = Reasoner(
        backend,
        strategy=strategies.make(name, n=n),
        verifier="verdict",
        task=task,
        concurrency=len(problems),
    )
    results = await reasoner.asolve_many(problems)
    return sum(r.usage.completion_tokens for r in results)


async def measure(
    model: str, task_name: str, count: int, n: int, rounds: int = 2
) -> dict[str, Any]:
    """Measure tokens per second of the bare loop, best-of-N and beam: the fastest of `rounds` each."""
    backend, task = VLLM(model), tasks.make(task_name)
    problems = [e.problem for e in task.examples("dev", count)]
    speed = dict[str, float]()

    async def clock(name: str, work: Awaitable[int]) -> None:
        started = time.perf_counter()
        decoded = await work
        speed[name] = max(speed.get(name, 0.0), decoded / (time.perf_counter() - started))

    try:
        await bare(backend, problems[:8], 8, task.sampling)
        for _ in range(rounds):
            await clock("bare", bare(backend, problems, n, task.sampling))
            await clock("best-of-n", searched(backend, task, problems, "best-of-n", n))
            await clock("beam", searched(backend, task, problems, "beam", n))
    finally:
        await backend.aclose()
    ratios = {f"{k}/bare": round(v / speed["bare"], 3) for k, v in speed.items() if k != "bare"}
    rates = {f"{k} tokens/s": round(v) for k, v in speed.items()}
    return {"task": task_name, "problems": count, "n": n, "rounds": rounds} | rates | ratios


def main() -> None:
    """Print the speeds and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default=str(EMBEDDED))
    parser.add_argument("--task", default="countdown")
    parser.add_argument("--problems", type=int, default=256)
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    speeds = asyncio.run(measure(args.model, args.task, args.problems, args.n, args.rounds))
    print(json.dumps(speeds) if args.json else "\n".join(f"{k:22} {v}" for k, v in speeds.items()))


if __name__ == "__main__":
    main()
