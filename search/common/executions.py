"""Programs of candidates, run in sandboxes: on the tests that a problem shows, and on calls."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from secrets import token_hex

from reasoner.concurrency import gather
from reasoner.programs import FUNCTION, entry_point, parsed, unit_tests, whole_program
from reasoner.run import Run
from reasoner.sandbox import Kind, Limits, ProgramOutcome, Status, Trial, Unusable
from reasoner.sandbox import run as execute
from reasoner.trace import Node

SHOWN = 300
"""The most characters of a result or an error that a prompt shows."""
LONGEST = 1000
"""The most characters of a call."""
SHOW = """

for _call in {calls!r}:
    try:
        _shown = repr(eval(_call))
    except BaseException as _error:
        _shown = f"{{type(_error).__name__}}: {{_error}}"
    _shown = _shown[:{shown}].replace("\\n", "\\\\n").encode("utf8", "backslashreplace").decode()
    print({mark!r} + _shown, flush=True)
"""
"""The end of a script that prints what calls give, after a mark that no program prints by chance."""


@dataclass(slots=True)
class Failure:
    """A test that a program fails, and its error or the value that it gave instead."""

    test: str
    seen: str


@dataclass
class Executions:
    """The programs of one run; each runs once on each test and on each call."""

    run: Run
    seconds: float
    sandbox: Kind
    _failures: dict[str, list[Failure]] = field(default_factory=dict[str, list[Failure]])
    _results: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    @cached_property
    def tests(self) -> list[str]:
        """The tests that the problem shows."""
        return unit_tests(self.run.problem)

    @cached_property
    def name(self) -> str | None:
        """The name of the function that tests call, if the problem gives it."""
        return entry_point(self.run.problem)

    @property
    def limits(self) -> Limits:
        """The limits of one run."""
        return Limits(seconds=self.seconds + 7, output=64 * 1024)

    async def check_sandbox(self) -> None:
        """Refuse to go on without a sandbox, before anything is sampled.

        Raises:
            ConfigError: there is none.
        """
        if self.tests or self.name:
            await execute("", limits=self.limits, sandbox=self.sandbox)

    def program(self, node: Node) -> str | None:
        """Return the program of a solution; None if there is no finished one, or it is no Python."""
        source = whole_program(self.run.problem, self.run.trace.candidate(node))
        return source if source is not None and parsed(source) else None

    async def failures(self, node: Node) -> list[Failure]:
        """Return the failures of a solution on the tests that the problem shows."""
        if (source := self.program(node)) is None:
            return [
                Failure(test, "there is no program, or a syntax error in it") for test in self.tests
            ]
        if source not in self._failures:
            tried = await gather(self._try(source, test) for test in self.tests)
            self._failures[source] = [failure for failure in tried if failure]
        return self._failures[source]

    async def results(self, node: Node, calls: Sequence[str]) -> tuple[str, ...]:
        """Return what a solution's program gives for each of `calls`, as text; the same where there is none."""
        if (source := self.program(node)) is None:
            return ("no program",) * len(calls)
        if new := [call for call in calls if (source, call) not in self._results]:
            for call, result in zip(new, await self._call(source, new), strict=True):
                self._results[source, call] = result
        return tuple(self._results[source, call] for call in calls)

    async def _try(self, source: str, test: str) -> Failure | None:
        """Judge by a trial, which no program can cheat; a plain run then shows what went wrong."""
        trial = Trial(test, self.name, self.seconds, self.limits, self.sandbox)
        try:
            if await trial.passes(source):
                return None
        except Unusable:  # No program can pass it, so it tells nothing.
            return None
        alias = f"candidate = {self.name}\n" if self.name else ""
        script = f"{source}\n\n{alias}{show_value(test)}{test}\n"
        limits = Limits(seconds=self.seconds)
        outcome = await execute(script, limits=limits, sandbox=self.sandbox)
        return Failure(test, described(outcome))

    async def _call(self, source: str, calls: Sequence[str]) -> list[str]:
        mark = token_hex(8)
        script = source + SHOW.format(calls=list(calls), mark=mark, shown=SHOWN)
        outcome = await execute(script, limits=self.limits, sandbox=self.sandbox)
        lines = outcome.stdout.splitlines()
        shown = [line.removeprefix(mark) for line in lines if line.startswith(mark)][: len(calls)]
        return shown + [f"no result ({outcome.status})"] * (len(calls) - len(shown))


def show_value(test: str) -> str:
    """Return a line that prints the left side of the comparison that a test asserts, if it is one."""
    tree = parsed(test)
    match tree.body if tree else []:
        case [ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()]))]:
            return f"print(repr({_source(left)}))\n"
        case _:
            return ""


def described(outcome: ProgramOutcome) -> str:
    """Return what a failed run shows: the limit that it reached, else its value and the end of its error."""
    if outcome.status not in (Status.PASSED, Status.FAILED):
        return f"stopped at its limit of {outcome.status}"
    value = outcome.stdout.strip()[-SHOWN:]
    error = outcome.stderr.strip()[-SHOWN:]
    return "\n".join(filter(None, [f"value: {value}" if value else "", error])) or "failed"


def read_calls(text: str, name: str | None, most: int) -> list[str]:
    """Return the calls of the function `name`, or of any without one, that stand on lines of a text."""
    lines = (line.strip(" \t`;") for line in text.splitlines())
    return list(dict.fromkeys(call for line in lines if (call := _as_call(line, name))))[:most]


def _as_call(line: str, name: str | None) -> str | None:
    """Return the call in a line that is one, or that asserts what one gives, in one layout."""
    tree = parsed(line) if len(line) <= LONGEST else None
    match tree.body if tree else []:
        case [ast.Expr(value=ast.Call(func=ast.Name(id=called)) as call)]:
            return _source(call) if name in (None, called) else None
        case [ast.Assert(test=ast.Compare(left=ast.Call(func=ast.Name(id=called)) as call))]:
            return _source(call) if name in (None, called) else None
        case _:
            return None


def _source(node: ast.expr) -> str | None:
    """Return an expression in one layout; None if it is nested too deep."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return None


def last_function(source: str | None) -> str | None:
    """Return the name of the last function that a program defines."""
    return next(reversed(FUNCTION.findall(source or "")), None)
