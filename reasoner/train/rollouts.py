"""Sample the policy's own solutions and label every prefix with how often it ended well.

One JSON line a problem: {"task", "prompt", "rollouts": [{"ids": [...], "correct": bool}]}.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any
from zlib import crc32

from reasoner.base import Backend, Example, Task
from reasoner.types import Prompt, Sampling


async def sample(
    backend: Backend,
    task: Task,
    path: Path,
    problems: int,
    each: int,
    seed: int,
    report: Callable[[str], None] = print,
    live: int = 64,
) -> None:
    """Append `each` rollouts of `problems` training problems to `path`, skipping those it has."""
    have = len(path.read_text().splitlines()) if path.exists() else 0
    gate, done = asyncio.Semaphore(live), have

    async def one(example: Example) -> str:
        async with gate:
            prompt = Prompt(example.problem)
            sampling = Sampling(
                n=each,
                max_tokens=task.max_tokens,
                seed=crc32(f"{seed}/{example.problem.prompt}".encode()) >> 1,
            )
            generation = await backend.generate(prompt, sampling)
        rollouts = [
            {"ids": list(c.token_ids), "correct": task.check(example, c.text)}
            for c in generation.completions
        ]
        return json.dumps(
            {"task": task.name, "prompt": example.problem.prompt, "rollouts": rollouts}
        )

    examples = list(task.examples("train", problems, seed))[have:]
    with path.open("a") as file:
        for finished in asyncio.as_completed([one(e) for e in examples]):
            file.write(await finished + "\n")
            done += 1
            if done % 200 == 0:
                file.flush()
                report(f"{task.name}: {done}/{problems} problems rolled out")


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a rollout file; a torn last line is left out."""
    with path.open() as file:
        yield from (json.loads(line) for line in file if line.endswith("\n"))


def prefix_values(rollouts: Sequence[dict[str, Any]]) -> list[list[float]]:
    """For each rollout, the Monte-Carlo value of what stood before each of its tokens.

    The value of a prefix is the share of this problem's rollouts through it whose outcome was right
    (Math-Shepherd's soft estimate, with the rollouts themselves as completions).
    """
    outcomes = defaultdict[tuple[int, ...], list[bool]](list)
    for r in rollouts:
        for i in range(len(r["ids"])):
            outcomes[tuple(r["ids"][:i])].append(r["correct"])
    return [[fmean(outcomes[tuple(r["ids"][:i])]) for i in range(len(r["ids"]))] for r in rollouts]
