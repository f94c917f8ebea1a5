"""Models of letters, one a step, for landscapes made by hand."""

from __future__ import annotations

import random
from collections.abc import Callable

from reasoner.backends.scripted import END, Reply, Scripted
from reasoner.budget import Budget
from reasoner.events import Listener, Result, ignore
from reasoner.run import Strategy
from reasoner.solving import solve
from reasoner.trace import Node, Trace
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

Value = Callable[[str], float]
"""The score of the letters written so far."""


def coin(length: int, letters: str = "ab") -> Reply:
    """`length` letters, each drawn alike, then the end."""

    def reply(prompt: Prompt, rng: random.Random) -> str:
        left = length - prompt.text.count("\n")
        return "".join(rng.choice(letters) + "\n" for _ in range(left)) + END

    return reply


def written(trace: Trace, node: Node) -> str:
    """The letters from the root to `node`."""
    return "".join(c.text for c in trace.completions(node)).replace("\n", "")


def model(value: Value, length: int = 3, **settings: float) -> Scripted:
    def judge(prompt: Prompt, step: str) -> float:
        return value((prompt.text + step).replace("\n", ""))

    return Scripted(reply=coin(length), judge=judge, **settings)  # type: ignore[arg-type]


async def climb(
    strategy: Strategy,
    backend: Scripted,
    *,
    budget: Budget = Budget(),
    seed: int = 0,
    listen: Listener = ignore,
) -> Result:
    """Search the landscape of `backend`."""
    return await solve(
        Problem("p", "?"), strategy, backend, Verdict("last"),
        budget=budget, sampling=Sampling(stop=("\n",), max_tokens=30), seed=seed,
        listen=listen, extract=lambda text: text.replace("\n", ""),
    )  # fmt: skip
