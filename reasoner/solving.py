"""One search from start to end: a strategy, its run, and the result."""

from __future__ import annotations

from reasoner.base import Backend, Generative, Verifier, bound, ready
from reasoner.bounded_search import bounded_search
from reasoner.budget import Budget, Ledger
from reasoner.clock import Clock
from reasoner.errors import BackendError, ConfigError
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
    """Search until the strategy or the budget ends, and return the answer either way.

    `sampling` is the task's: `stop` ends a step, `max_tokens` limits a solution. `extract` returns the
    canonical answer of a solution's text. A verifier that needs a model and has none uses `backend`.
    Engines start first; their start counts neither as the search's seconds nor against its budget.
    `clock` counts the seconds, and lets the search resume an earlier one. A failing model ends the
    run with the best answer so far and the error.

    Raises:
        ConfigError: the caller's settings do not fit together.
    """
    verifier = None if verifier is None else bound(verifier, backend)
    scorer = verifier.model if isinstance(verifier, Generative) else None
    if budget.flops is not None:
        _require_sizes(backend, scorer)
    failure = await _start(backend, second, verifier, scorer)
    run = Run(
        problem, backend, verifier, Ledger(budget, clock),
        sampling=sampling, extract=extract, seed=seed, listen=listen, second=second,
    )  # fmt: skip
    stopped, error = (Stopped.ERROR, failure) if failure else await _search(strategy, run)
    return _result(run, stopped, error, oracle=bool(getattr(verifier, "oracle", False)))


def _require_sizes(*backends: Backend | None) -> None:
    """Raise ConfigError where a model has no known size, and so no known FLOPs."""
    for backend in filter(None, backends):
        if not backend.model.parameters:
            raise ConfigError(
                f"a FLOPs budget needs the size of {backend.model.name!r}, which its backend"
                " does not report; use a token budget"
            )


async def _start(*holders: object) -> str | None:
    """Start every engine; return why one did not start, else None."""
    try:
        await ready(*holders)
    except BackendError as e:
        return str(e)
    return None


async def _search(strategy: Strategy, run: Run) -> tuple[Stopped, str | None]:
    """Search within the budget; return why the search stopped, and a model's error."""
    try:
        return await bounded_search(strategy, run), None
    except BackendError as e:
        return Stopped.ERROR, str(e)


def _result(run: Run, stopped: Stopped, error: str | None, *, oracle: bool) -> Result:
    """Return the run's chosen answer, every finished solution, and the cost."""
    node, ledger = run.conclude(), run.ledger
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
        oracle=oracle,
        calls=tuple(ledger.entries),
    )
