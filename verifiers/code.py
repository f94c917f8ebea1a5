"""Code: programs scored by unit tests."""

from collections.abc import Sequence
from typing import Literal

from pydantic import PositiveFloat
from pydantic.dataclasses import dataclass

from reasoner.concurrency import gather
from reasoner.errors import ConfigError
from reasoner.programs import entry_point, unit_tests, whole_program
from reasoner.sandbox import Limits, Trial, Unusable
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Judgement, Problem, Score, Usage


@dataclass(frozen=True)
class Code:
    """The share of unit tests that a program passes, run in sandboxes (Chen et al., 2021, §2).

    The program is the last Python block of the candidate's text, or the whole text without a block;
    an unfinished candidate without a closed block scores 0. The tests are `problem.meta["tests"]`,
    each a piece of Python that raises if the program is wrong; `problem.meta["entry_point"]` may name
    the function that the tests call `candidate`, and `problem.meta["head"]` the text that it continues,
    with imports and helpers. For each test the program is started anew; test and program have a sandbox
    each, within `limits` and `seconds` of wall-clock time.
    """

    limits: Limits = Limits()
    seconds: PositiveFloat = 3.0
    language: Literal["python"] = "python"
    sandbox: Literal["bubblewrap", "none"] = "bubblewrap"
    traits = VerifierTraits(scores_steps=False)

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return no usage: no model is called."""
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Run each distinct program once, as many at a time as there are processors.

        Raises:
            ConfigError: the problem has no tests, or no sandbox is available.
        """
        tests = _tests(problem)
        programs = [whole_program(problem, c) for c in candidates]
        distinct = [p for p in dict.fromkeys(programs) if p is not None]
        shares = await gather(self._share(problem, tests, p) for p in distinct)
        share_of: dict[str | None, float] = {None: 0.0, **dict(zip(distinct, shares, strict=True))}
        return Judgement(tuple(Score(share_of[p]) for p in programs))

    def check_problem(self, problem: Problem) -> None:
        """Refuse a problem without what is needed to judge it."""
        _tests(problem)

    async def _share(self, problem: Problem, tests: Sequence[str], source: str) -> float:
        """Return the share of `tests` that a program passes."""
        passed = await gather(
            self._passes(
                problem,
                Trial(test, entry_point(problem), self.seconds, self.limits, self.sandbox),
                source,
            )
            for test in tests
        )
        return sum(passed) / len(tests)

    async def _passes(self, problem: Problem, trial: Trial, source: str) -> bool:
        try:
            return await trial.passes(source)
        except Unusable as error:
            raise ConfigError(
                f"verifier 'code' cannot use a test of problem {problem.id!r}: {error};"
                " docs/verifiers/code.md explains what a test can do"
            ) from None


def _tests(problem: Problem) -> list[str]:
    if not (tests := unit_tests(problem)):
        raise ConfigError(
            f"verifier 'code' needs unit tests, and problem {problem.id!r} has none: put a list of"
            " pieces of Python into its meta, such as {'tests': ['assert add(1, 2) == 3']}"
        )
    return tests
