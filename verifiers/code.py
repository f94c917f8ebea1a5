"""Programs, judged by unit tests."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Literal

from pydantic import PositiveFloat
from pydantic.dataclasses import dataclass

from reasoner.concurrency import gather
from reasoner.errors import ConfigError
from reasoner.types import Candidate, Judgement, Problem, Score, Usage
from reasoner.verifiers import sandbox
from reasoner.verifiers.sandbox import Limits

HARNESS = Path(__file__).with_name("code_harness.py")
NAMES = ("python", "py", "python3")
BLOCK = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Code:
    """The share of unit tests that a program passes, run in a sandbox (Chen et al., 2021, §2).

    The program is the last Python block of the candidate's text, or all of it where there is none; a
    candidate under way without a closed block has 0. The tests are `problem.meta["tests"]`, each a
    piece of Python that raises where the program is wrong; `problem.meta["entry_point"]` may name
    the function they call `candidate`. Each test meets the program freshly started, for at most
    `seconds`, and `limits` are those of all tests together: those not reached in time are failed.
    """

    limits: Limits = Limits()
    seconds: PositiveFloat = 3.0
    language: Literal["python"] = "python"
    sandbox: Literal["bubblewrap", "none"] = "bubblewrap"

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Nothing: no model is asked."""
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Run every different program once, as many at a time as there are processors.

        Raises:
            ConfigError: the problem has no tests, or there can be no sandbox.
        """
        tests = _tests(problem)
        programs = [program(c) for c in candidates]
        different = [p for p in dict.fromkeys(programs) if p is not None]
        shares = await gather(self._share(problem, tests, p) for p in different)
        found: dict[str | None, float] = {None: 0.0, **dict(zip(different, shares, strict=True))}
        return Judgement(tuple(Score(found[p]) for p in programs))

    async def _share(self, problem: Problem, tests: Sequence[str], source: str) -> float:
        """The share of `tests` that a program passes."""
        task = {
            "program": source,
            "entry_point": problem.meta.get("entry_point"),
            "tests": tests,
            "seconds": self.seconds,
        }
        outcome = await sandbox.run(
            HARNESS.read_text(),
            stdin=json.dumps(task),
            limits=self._with_harness(len(tests)),
            sandbox=self.sandbox,
        )
        return len(set(outcome.stdout.split())) / len(tests)

    def _with_harness(self, tests: int) -> Limits:
        """The limits, and room for the two processes and the report of the harness."""
        output = max(self.limits.output, 8 * tests)
        return replace(self.limits, processes=self.limits.processes + 2, output=output)


def program(candidate: Candidate) -> str | None:
    """The program in a candidate's text; None where none is finished."""
    # A block that is open at the end of a finished text is closed by it.
    text = candidate.text + ("\n```" if candidate.complete else "")
    blocks = BLOCK.findall(text)
    python = [code for language, code in blocks if language.lower() in NAMES]
    nameless = [code for language, code in blocks if not language]
    if found := python or nameless:
        return dedent(found[-1])
    return candidate.text if candidate.complete else None


def _tests(problem: Problem) -> list[str]:
    tests = problem.meta.get("tests", ())
    tests = [tests] if isinstance(tests, str) else list(tests)
    if not tests or not all(isinstance(test, str) for test in tests):
        raise ConfigError(
            f"verifier 'code' needs unit tests, and problem {problem.id!r} has none: put a list of"
            " pieces of Python into its meta, such as {'tests': ['assert add(1, 2) == 3']}"
        )
    return tests
