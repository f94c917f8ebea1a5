"""The contract of every strategy on an engine, in process and by HTTP."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from reasoner.base import Backend
from reasoner.budget import Budget
from reasoner.concurrency import gather
from reasoner.events import Result, Stopped
from reasoner.registry import strategies
from reasoner.solving import solve
from reasoner.traits import strategy_traits
from reasoner.types import Finish, Problem, Sampling, Usage
from reasoner.verifiers.verdict import Verdict

VLLM = pytest.mark.skipif(not find_spec("vllm"), reason="vLLM is not installed")
"""Marks what needs the engine, without the import of it, which takes ten seconds of each worker."""

ALONE = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    # vLLM leaves its ZeroMQ context to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
"""Marks of tests with an engine of their own."""

PROBLEM = "dg:b=a+c,a=1234,c=5678,d=b-a,e=d+c,f=e-b?f\n"
BUDGET = Budget(tokens=300)
SERVED = [name for name in strategies.names() if not strategy_traits(strategies.load(name)).spells]
"""Strategies that a server's model suits: it does not know the texts of tokens."""
SETTINGS: dict[str, dict[str, Any]] = {
    "budget-forcing": {"wait": "\n", "final": "\n#"},
    "parallel-probe": {"interval": 8, "probe": "\n"},
    "rsa": {"prompt": "{problem}{solutions}\n"},
}
"""Settings for strategies whose defaults have letters that the tiny model's alphabet lacks, or are for long solutions."""


async def conforms(name: str, backend: Backend, *, times: int, n: int = 4) -> list[Result]:
    """Search several problems at once; each search must end as it should, within its budget."""
    strategy = strategies.make(name, n=n, **SETTINGS.get(name, {}))
    results = await gather(
        solve(
            Problem(f"{name}-{i}", PROBLEM), strategy, backend, Verdict(),
            sampling=Sampling(max_tokens=40, stop=("\n",)), budget=BUDGET, seed=i,
        )
        for i in range(times)
    )  # fmt: skip
    for result in results:
        assert result.stopped in (Stopped.DONE, Stopped.BUDGET), result.error
        assert result.usage.completion_tokens <= 300
        assert result.stopped is Stopped.BUDGET or result.candidate is not None
    return results


def spent(results: list[Result]) -> Usage:
    """Return the usage of all searches together."""
    return sum((r.usage for r in results), Usage())


def given_up(results: list[Result]) -> int:
    """Samples given up half-way: the engine may decode a little more than the ledger was told."""
    pieces = [n.completion for r in results for n in r.trace if n.completion]
    return sum(p.finish is Finish.ABORTED for p in pieces)
