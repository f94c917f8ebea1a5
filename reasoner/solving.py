"""One search from start to end: a strategy, its run, and the result."""

from __future__ import annotations

from reasoner.base import Backend, Generative, Verifier, bind, check_problem, start
from reasoner.bounded_search import bounded_search
from reasoner.budget import Budget, Ledger
from reasoner.clock import Clock
from reasoner.errors import BackendError, ConfigError, ReasonerError
from reasoner.events import Listener, Result, Solution, Stopped, ignore
from reasoner.registry import verifiers
from reasoner.run import Extract, Run, Strategy, last_line
from reasoner.suitability import check_combination, component_name
from reasoner.trace import Trace
from reasoner.traits import backend_traits, verifier_traits
from reasoner.types import Problem, Sampling, Usage


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
    raising: bool = True,
) -> Result:
    """Search until the strategy is done or the budget is spent, and answer either way.

    A model that fails ends the run with the incumbent and the error. Engines are started first: their
    start counts neither as the search's seconds nor against its budget.

    Args:
        problem: the problem to solve.
        strategy: the search.
        backend: the policy.
        verifier: scores solutions; one that needs a model to ask asks `backend`.
        budget: ceilings of the search.
        sampling: the task's: `stop` ends a step, `max_tokens` is the longest solution.
        extract: finds the canonical answer in a solution's text.
        seed: equal seeds give equal searches.
        listen: is called with every event.
        second: another model, for the strategies that use one.
        clock: counts the seconds, where the search continues an earlier one.
        raising: raise what the search raises unforeseen; else the run ends with that error.

    Raises:
        ConfigError: components, budget or problem do not suit one another. Nothing is sampled then.
    """
    check_suitable(strategy, backend, verifier, budget, second)
    check_problem(verifier, problem)
    check_images(problem, backend, second)
    judge = None if verifier is None else bind(verifier, backend)
    engine = judge.model if isinstance(judge, Generative) else None
    failure = await _start(backend, second, judge, engine)
    run = Run(
        problem, backend, judge, Ledger(budget, clock),
        sampling=sampling, extract=extract, seed=seed, listen=listen, second=second,
    )  # fmt: skip
    stopped, error = (Stopped.ERROR, failure) if failure else await _search(strategy, run, raising)
    return _result(run, verifier, stopped, error)


def check_suitable(
    strategy: Strategy,
    backend: Backend,
    verifier: Verifier | None = None,
    budget: Budget = Budget(),
    second: Backend | None = None,
) -> None:
    """Refuse components and a budget that do not suit one another.

    Raises:
        ConfigError: they do not; the message names a combination that works.
    """
    check_combination(strategy, verifier, backend, second)
    judge = verifier.model if isinstance(verifier, Generative) else None
    for model in filter(None, (backend, second, judge)):
        if budget.flops is not None and not model.model.parameters:
            raise ConfigError(
                f"a FLOPs budget needs the size of {model.model.name!r}, which its backend"
                " does not report; use a token budget"
            )


def check_images(problem: Problem, *backends: Backend | None) -> None:
    """Refuse a problem with images for a model that takes none.

    Raises:
        ConfigError: one of `backends` takes none.
    """
    if not any(message.has_image for message in problem.messages):
        return
    for backend in filter(None, backends):
        if not backend_traits(backend).images:
            raise ConfigError(
                f"problem {problem.id!r} has an image, and the backend of {backend.model.name!r} takes only text;"
                " use openai(chat=True) with a model that sees images"
            )


def failed(problem: Problem, error: BaseException) -> Result:
    """Return the result of a problem whose search an unforeseen error ended."""
    return Result(
        answer=None, candidate=None, candidates=(), trace=Trace(problem), usage=Usage(),
        stopped=Stopped.ERROR, error=explained(error),
    )  # fmt: skip


def explained(error: BaseException) -> str:
    """Return one line about an error; one that nobody foresaw is named by its type."""
    return str(error) if isinstance(error, ReasonerError) else f"{type(error).__name__}: {error}"


async def _start(*holders: object) -> str | None:
    """Start every engine; return why one did not start, else None."""
    try:
        await start(*holders)
    except BackendError as e:
        return str(e)
    return None


async def _search(strategy: Strategy, run: Run, raising: bool) -> tuple[Stopped, str | None]:
    """Search within the budget; return why the search stopped, and an error that ended it."""
    try:
        return await bounded_search(strategy, run), None
    except BackendError as e:
        return Stopped.ERROR, str(e)
    except Exception as e:
        if raising:
            raise
        return Stopped.ERROR, explained(e)


def _result(run: Run, verifier: Verifier | None, stopped: Stopped, error: str | None) -> Result:
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
        oracle=verifier is not None and verifier_traits(verifier).oracle,
        scored_by=None if verifier is None else component_name(verifier, verifiers),
        calls=tuple(ledger.entries),
    )
