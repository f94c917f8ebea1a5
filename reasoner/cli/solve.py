"""`reasoner solve`: one problem."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from reasoner.cli import option_types as o
from reasoner.cli import parsing
from reasoner.cli.default_verifier import named_verifier
from reasoner.cli.engine import check_second, engine, second_model
from reasoner.cli.interrupt import interruptible
from reasoner.cli.output import print_json, stdout_for_json
from reasoner.cli.parser import piped
from reasoner.errors import BackendError
from reasoner.options import FlagReader, Options, Positive
from reasoner.printable import one_line
from reasoner.terminal import complain, echo

if TYPE_CHECKING:
    from reasoner.api import Reasoner
    from reasoner.cli.commands import Invocation
    from reasoner.events import Result
    from reasoner.trace import Node
    from reasoner.types import Usage


class SolveOptions(Options):
    """The options of `solve`."""

    positional = ("problem",)

    problem: Annotated[str, Field(description="its text, or - to read it from standard input")]
    task: Annotated[
        str | None, Field(description="how solutions are written (default: one step per line)")
    ] = None
    strategy: Annotated[str, Field(description="`reasoner list strategies`")] = "best-of-n"
    n: Annotated[Positive | None, Field(description="the size of the strategy")] = None
    budget: Annotated[
        dict[str, float] | None, FlagReader(parsing.budget),
        Field(examples=["tokens=2000[,seconds=5]"], description="what the search may spend"),
    ] = None  # fmt: skip
    verifier: o.Verifier = None
    tools: o.Tools = None
    temperature: o.Temperature = None
    top_p: o.TopP = None
    max_tokens: o.MaxTokens = None
    system: o.System = None
    shots: o.ShotsFile = None
    model: o.ModelPath = None
    second: o.SecondModel = None
    backend: o.Backend = None
    base_url: o.BaseUrl = None
    seed: o.RandomSeed = 0


def solve(options: SolveOptions, call: Invocation) -> int:
    """Solve one problem and print the steps of the search."""
    from reasoner.api import Reasoner, open_backend
    from reasoner.benchmarks.runner.components import sized

    check_second(options.second, [options.strategy])
    with stdout_for_json(call.json):
        reasoner = Reasoner(
            open_backend(options.model, **engine(options), **_context(options)),
            strategy=sized(options.strategy, options.n),
            verifier=named_verifier(options.verifier, options.strategy),
            task=options.task,
            temperature=options.temperature,
            top_p=options.top_p,
            max_tokens=options.max_tokens,
            seed=options.seed,
            second=second_model(options),
            tools=options.tools,
        )
        text = piped() if options.problem == "-" else options.problem
        result = interruptible(_follow(reasoner, text, options, quiet=call.json))
    if result.candidate is None and result.error:
        raise BackendError(result.error)
    print_json(result_json(text, result)) if call.json else print_result(result)
    if result.error:
        complain(f"stopped early: {result.error}")
    return 1 if result.error else 0


def _context(options: SolveOptions) -> dict[str, Any]:
    """Return the settings of a backend that put a text before the problem."""
    from reasoner.cli.shots import read_shots

    system = {} if options.system is None else {"system": options.system}
    return system if options.shots is None else system | {"shots": read_shots(options.shots)}


async def _follow(reasoner: Reasoner, text: str, options: SolveOptions, *, quiet: bool) -> Result:
    """Search, and print each step as it arrives unless `quiet`."""
    from reasoner.budget import Budget
    from reasoner.events import Done, StepSampled, StepScored

    printed: type[StepSampled | StepScored]
    printed = StepScored if reasoner.verifier else StepSampled
    result: Result | None = None
    ceilings: dict[str, Any] | None = options.budget
    try:
        async for event in reasoner.astream(text, Budget(**ceilings) if ceilings else None):
            if isinstance(event, Done):
                result = event.result
            elif isinstance(event, printed) and not quiet:
                echo(step(event.node))
    finally:
        await reasoner.aclose()
    assert result is not None, "a stream ends with Done"
    return result


def step(node: Node) -> str:
    """Format a sampled piece with its depth and score."""
    text = node.completion.text if node.completion else ""
    first, *rest = text.strip("\n").split("\n")
    score = "     " if node.score is None else f"{node.score:.3f}"
    return "\n".join([f"{node.depth:>3}  {score}  {first}", *(" " * 12 + line for line in rest)])


def print_result(result: Result) -> None:
    """Print the answer and its cost."""
    used = result.generator
    answer = None if result.answer is None else one_line(result.answer)
    echo(f"\nanswer: {answer}")
    echo(
        f"{len(result.candidates)} solutions, {used.completion_tokens} tokens generated{thinking(used)},"
        f" {used.fresh_tokens} prompt tokens ({used.cached_tokens} more from the cache),"
        f" {result.seconds:.2f} s, stopped: {result.stopped}"
        + (f", scored by {result.scored_by}" if result.scored_by else "")
    )
    if estimated := result.usage.estimated_tokens:
        echo(f"{estimated} of the tokens are estimates: the server reports no usage")
    if result.trace.malformed:
        echo(f"{result.trace.malformed} verdicts could not be read and were left out")


def thinking(used: Usage) -> str:
    """Return the number of tokens of thinking in words; empty where there are none."""
    if not used.thinking_tokens:
        return ""
    return (
        f" ({'about ' if used.thinking_estimated else ''}{used.thinking_tokens} of them thinking)"
    )


def result_json(problem: str, result: Result) -> dict[str, Any]:
    """Return a result as plain JSON values, without its tree."""
    return {
        "problem": problem,
        "answer": result.answer,
        "solution": result.text,
        "stopped": str(result.stopped),
        "error": result.error,
        "seconds": result.seconds,
        "usage": asdict(result.usage),
        "malformed": result.trace.malformed,
        "verifier": result.scored_by,
        "by_role": {role: asdict(usage) for role, usage in result.by_role.items()},
        "candidates": [
            {"answer": s.answer, "score": s.score, "solution": s.candidate.text}
            for s in result.candidates
        ],
    }
