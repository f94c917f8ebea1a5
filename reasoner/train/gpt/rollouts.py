"""Sampling of the policy's own solutions, and Monte-Carlo values of their prefixes.

One JSON line per problem: {"prompt", "task", "rollouts": [{"ids": [...], "correct": bool}]}.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any
from zlib import crc32

from pydantic import BaseModel, Field

from reasoner.base import Backend, Example, Task
from reasoner.train.gpt.vocabulary import EXPORTED
from reasoner.train.progress import Report
from reasoner.train.resumable import JournalEntry, Row, keep
from reasoner.types import Prompt


class Rollout(BaseModel):
    """A solution: its tokens in the embedded GPT's vocabulary, and its correctness."""

    ids: list[Annotated[int, Field(ge=0, lt=EXPORTED)]]
    correct: bool


class Rollouts(JournalEntry):
    """A row of the journal."""

    rollouts: list[Rollout]


async def sample(
    backend: Backend,
    task: Task,
    path: Path,
    problems: int,
    each: int,
    seed: int,
    report: Report = print,
) -> None:
    """Append `each` rollouts of `problems` training problems to `path`, except for those it has."""

    async def work(example: Example) -> Row:
        sampling = replace(
            task.sampling,
            n=each,
            seed=crc32(f"{seed}/{example.problem.prompt}".encode()) >> 1,
            stop=(),
            top_p=1.0,  # Rare errors teach the verdict too.
        )
        generation = await backend.generate(Prompt(example.problem), sampling)
        rollouts = [
            {"ids": list(c.token_ids), "correct": task.check(example, c.text)}
            for c in generation.completions
        ]
        return {"task": task.name, "rollouts": rollouts}

    examples = list(task.examples("train", problems, seed))
    await keep(path, examples, work, report, live=max(128, 512 // each), kind=Rollouts)


def prefix_values(rollouts: Sequence[dict[str, Any]]) -> list[list[float]]:
    """Return for each rollout the Monte-Carlo value of the prefix before each of its tokens.

    The value of a prefix is the share of right ones among this problem's rollouts through it
    (Math-Shepherd's soft estimate, with the rollouts themselves as completions).
    """
    outcomes = defaultdict[tuple[int, ...], list[bool]](list)
    for r in rollouts:
        for i in range(len(r["ids"])):
            outcomes[tuple(r["ids"][:i])].append(r["correct"])
    return [[fmean(outcomes[tuple(r["ids"][:i])]) for i in range(len(r["ids"]))] for r in rollouts]
