"""One search from start to end: a strategy, its run, and the result."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from reasoner.answering import reading
from reasoner.base import Backend, Generative, Verifier, bind, check_problem, start
from reasoner.bounded_search import bounded_search
from reasoner.budget import Budget, Ledger
from reasoner.clock import Clock
from reasoner.errors import BackendError, ConfigError, ReasonerError, StoreError
from reasoner.events import Listener, Result, Solution, Stopped, ignore
from reasoner.recognition import recognise
from reasoner.registry import strategies, verifiers
from reasoner.run import Extract, Run, Strategy, last_line
from reasoner.suitability import check_combination, component_name
from reasoner.telemetry import Attributes, annotate, span, usage_attributes
from reasoner.tool_calls import Tool
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
    tool: Tool | None = None,
    clock: Clock | None = None,
    raising: bool = True,
) -> Result:
    """Search until the strategy is done or the budget is spent, and answer either way.

    A model that fails ends the run with the incumbent and the error, and so does any error of this
    library after something was generated: the result holds what was spent. Engines are started first:
    their start counts neither as the search's seconds nor against its budget.

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
        tool: what the model may use while it writes solutions.
        clock: counts the seconds, where the search continues an earlier one.
        raising: raise what the search raises unforeseen; else the run ends with that error.

    Raises:
        ConfigError: components, budget or problem do not suit one another, or a server refuses the
            first request. Nothing is generated then.
    """
    check_suitable(strategy, backend, verifier, budget, second, tool)
    check_problem(verifier, problem)
    judge = None if verifier is None else bind(reading(verifier, extract), backend)
    engine = judge.model if isinstance(judge, Generative) else None
    if await recognise(backend, second, engine):
        check_suitable(strategy, backend, verifier, budget, second, tool)
    check_images(problem, backend, second)
    failure = await _start(backend, second, judge, engine, tool)
    run = Run(
        problem, backend, judge, Ledger(budget, clock),
        sampling=sampling, extract=extract, seed=seed, listen=listen, second=second,
        tool=tool,
    )  # fmt: skip
    with span("search"):
        annotate(lambda: _settings(problem, strategy, backend, verifier, budget))
        stopped, cause = (
            (Stopped.ERROR, failure) if failure else await _search(strategy, run, raising)
        )
        result = _result(run, verifier, stopped, cause, raising)
        annotate(lambda: _outcome(result))
    return result


def check_suitable(
    strategy: Strategy,
    backend: Backend,
    verifier: Verifier | None = None,
    budget: Budget = Budget(),
    second: Backend | None = None,
    tool: Tool | None = None,
) -> None:
    """Refuse components and a budget that do not suit one another.

    Raises:
        ConfigError: they do not; the message names a combination that works.
    """
    check_combination(strategy, verifier, backend, second, tool)
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


def _settings(
    problem: Problem,
    strategy: Strategy,
    backend: Backend,
    verifier: Verifier | None,
    budget: Budget,
) -> Attributes:
    """Return the attributes of a search's span that are known at its start."""
    return {
        "gen_ai.request.model": backend.model.name,
        "reasoner.problem": problem.id,
        "reasoner.strategy": component_name(strategy, strategies),
        "reasoner.strategy.n": getattr(strategy, "n", None),
        "reasoner.verifier": None if verifier is None else component_name(verifier, verifiers),
        **{f"reasoner.budget.{name}": value for name, value in asdict(budget).items()},
    }


def _outcome(result: Result) -> Attributes:
    """Return the attributes of a search's span that are known at its end."""
    return {
        "reasoner.stopped": str(result.stopped),
        "reasoner.answered": result.answer is not None,
        "reasoner.solutions": len(result.candidates),
        "error.type": None if result.cause is None else type(result.cause).__name__,
        **usage_attributes(result.usage),
    }


async def _start(*holders: object) -> BackendError | None:
    """Start every engine; return why one did not start, else None."""
    try:
        await start(*holders)
    except BackendError as e:
        return e
    return None


async def _search(strategy: Strategy, run: Run, raising: bool) -> tuple[Stopped, Exception | None]:
    """Search within the budget; return why the search stopped, and an error that ended it."""
    try:
        return await bounded_search(strategy, run), None
    except Exception as e:
        if raising and not _ends_run(e, run):
            _note_spending(e, run)
            raise
        return Stopped.ERROR, e


def _ends_run(error: Exception, run: Run) -> bool:
    """Return True if an error ends the run with a result; files that fail concern more than one run."""
    paid = isinstance(error, ReasonerError) and _generated(run)
    return isinstance(error, BackendError) or (paid and not isinstance(error, StoreError))


def _generated(run: Run) -> bool:
    return run.ledger.spent.completion_tokens > 0


def _note_spending(error: Exception, run: Run) -> None:
    """Have the traceback of an unforeseen error show what the search had spent."""
    if _generated(run):
        error.add_note(f"The search had spent {run.ledger.spent}.")


def _result(
    run: Run, verifier: Verifier | None, stopped: Stopped, cause: Exception | None, raising: bool
) -> Result:
    """Return the run's chosen answer, every finished solution, and the cost."""
    try:
        answered = _answered(run)
    except Exception as e:  # In a task's rule for answers.
        _note_spending(e, run)
        if raising:
            raise
        answered, stopped, cause = _unanswered(), Stopped.ERROR, cause or e
    ledger = run.ledger
    return Result(
        **answered,
        trace=run.trace,
        usage=ledger.spent,
        by_role=ledger.by_role,
        seconds=ledger.elapsed,
        stopped=stopped,
        error=None if cause is None else explained(cause),
        cause=cause,
        oracle=verifier is not None and verifier_traits(verifier).oracle,
        scored_by=None if verifier is None else component_name(verifier, verifiers),
        calls=tuple(ledger.entries),
    )


def _answered(run: Run) -> dict[str, Any]:
    """Return the fields of a result that tell its answer and solutions."""
    node, trace = run.conclude(), run.trace
    return {
        "answer": run.answer(node) if node else None,
        "candidate": trace.candidate(node) if node else None,
        "candidates": tuple(
            Solution(trace.candidate(n), run.answer(n), n.score) for n in trace.finished
        ),
    }


def _unanswered() -> dict[str, Any]:
    return {"answer": None, "candidate": None, "candidates": ()}
