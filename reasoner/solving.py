"""One search from start to end: a strategy, a run for it, and the result."""

from __future__ import annotations

import asyncio

from reasoner.base import Backend, Generative, Verifier, bind, start
from reasoner.budget import Budget, Ledger
from reasoner.clock import Clock
from reasoner.concurrency import unwrapped
from reasoner.errors import BackendError, BudgetExhausted, ConfigError
from reasoner.events import Result, Solution, Stopped
from reasoner.run import Extract, Listener, Run, Strategy, ignore, last_line
from reasoner.types import Problem, Sampling


async def solve(
    problem: Problem,
    strategy: Strategy,
    backend: Backend,
    verifier: Verifier | None = None,
    *,
    budget: Budget = Budget(),
    sampling: Sampling = Sampling(),
    extract: Extract = last_line,
    seed: int = 0,
    listen: Listener = ignore,
    second: Backend | None = None,
    clock: Clock | None = None,
) -> Result:
    """Search until the strategy is done or the budget is; either way, answer.

    `sampling` is the task's: `stop` ends a step, `max_tokens` is the longest solution. `extract`
    finds the canonical answer in a solution's text. A verifier that asks a model and has none asks
    `backend`. A model that fails ends the run with the incumbent and the error; what the caller got
    wrong is raised. Engines are started first: their start counts neither as the search's seconds nor
    against its budget. `clock` tells the seconds, where the search goes on from an earlier one.
    """
    verifier = None if verifier is None else bind(verifier, backend)
    judge = verifier.model if isinstance(verifier, Generative) else None
    for asked in filter(None, (backend, judge)):
        if budget.flops is not None and not asked.model.parameters:
            raise ConfigError(
                f"a FLOPs budget needs the size of {asked.model.name!r}, which its backend"
                " does not tell; use a token budget"
            )
    failure = await _started(backend, second, verifier, judge)
    ledger = Ledger(budget, clock)
    run = Run(
        problem, backend, verifier, ledger,
        sampling=sampling, extract=extract, seed=seed, listen=listen, second=second,
    )  # fmt: skip
    stopped, error = (Stopped.ERROR, failure) if failure else await _search(strategy, run)
    node = run.conclude()
    solutions = [
        Solution(run.trace.candidate(n), run.answer(n), n.score) for n in run.trace.finished
    ]
    return Result(
        answer=run.answer(node) if node else None,
        candidate=run.trace.candidate(node) if node else None,
        candidates=tuple(solutions),
        trace=run.trace,
        usage=ledger.spent,
        by_role=ledger.by_role,
        seconds=ledger.elapsed,
        stopped=stopped,
        error=error,
        oracle=bool(getattr(verifier, "oracle", False)),
        calls=tuple(ledger.entries),
    )


async def _started(*held: object) -> str | None:
    """Start every engine, which is no part of the search's time; return why one did not start."""
    try:
        await start(*held)
    except BackendError as e:
        return str(e)
    return None


async def _search(strategy: Strategy, run: Run) -> tuple[Stopped, str | None]:
    deadline = asyncio.timeout(run.ledger.budget.seconds)
    try:
        async with deadline:
            with run.ledger.clock.keeping(deadline):
                run.offer(await unwrapped(strategy.search(run)))
    except BudgetExhausted:
        return Stopped.BUDGET, None
    except BackendError as e:
        return Stopped.ERROR, str(e)
    except TimeoutError:
        if not deadline.expired():
            raise
        return Stopped.BUDGET, None
    return (Stopped.BUDGET if run.clipped else Stopped.DONE), None
