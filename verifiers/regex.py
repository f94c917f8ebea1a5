"""Regex: a regular expression as a verifier."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from pydantic import PositiveFloat
from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.types import Candidate, Judgement, Problem, Score
from reasoner.verifiers.common.rules import RuleVerifier


@dataclass(frozen=True)
class Regex(RuleVerifier):
    """Score 1 for a finished solution that `pattern` matches.

    The pattern is the setting or, without it, `problem.meta["pattern"]`. It must match the `whole`
    text or a `part` of it; an unfinished solution that cannot be the start of a match scores 0. A
    pattern with nested repetitions can run forever: a finished text that takes longer than `seconds`
    counts as not matched.
    """

    pattern: str | None = None
    match: Literal["whole", "part"] = "part"
    seconds: PositiveFloat = 0.1

    def __post_init__(self) -> None:
        """Reject an invalid pattern before any compute is spent."""
        if self.pattern is not None:
            compiled(self.pattern)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Match in a thread, so that a slow pattern does not block the event loop."""
        return await asyncio.to_thread(self._score, problem, candidates)

    def holds(self, problem: Problem, solution: str) -> bool:
        """Return True if the pattern matches in time."""
        return self._matches(problem, solution, partial=False)

    def possible(self, problem: Problem, start: str) -> bool:
        """Return True if a match may start with `start`."""
        return self._matches(problem, start, partial=True)

    def _score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        return Judgement(tuple(Score(self.judge(problem, c)) for c in candidates))

    def check_problem(self, problem: Problem) -> None:
        """Refuse a problem without what is needed to judge it."""
        compiled(self.pattern or _problem_pattern(problem))

    def _matches(self, problem: Problem, text: str, partial: bool) -> bool:
        pattern = compiled(self.pattern or _problem_pattern(problem))
        match = pattern.fullmatch if self.match == "whole" else pattern.search
        try:
            matched = match(text, partial=partial, timeout=self.seconds, concurrent=True)
        except TimeoutError:
            return partial
        return matched is not None


def _problem_pattern(problem: Problem) -> str:
    if "pattern" not in problem.meta:
        raise ConfigError(
            f"verifier 'regex' has no pattern, and the meta of problem {problem.id!r} has none;"
            " give one, such as regex(pattern='#[0-9]+')"
        )
    return str(problem.meta["pattern"])


@lru_cache
def compiled(pattern: str) -> Any:
    """Compile `pattern` with the package regex, which can be interrupted, unlike `re`.

    Raises:
        ConfigError: the pattern is invalid, or the package is missing.
    """
    try:
        import regex
    except ImportError:
        raise ConfigError("verifier 'regex' needs the package regex: pip install regex") from None
    try:
        return regex.compile(pattern)
    except regex.error as e:
        raise ConfigError(f"{pattern!r} is no regular expression: {e}") from e
