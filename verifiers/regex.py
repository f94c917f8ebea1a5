"""A regular expression as a verifier."""

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
    """1 for a finished solution that `pattern` matches.

    The pattern is the setting or, without it, `problem.meta["pattern"]`. It must match the `whole`
    text or some `part` of it; a solution under way that cannot be the start of a match has 0. A
    pattern with nested repetitions can take for ever: a finished text that takes longer than
    `seconds` counts as not matched.
    """

    pattern: str | None = None
    match: Literal["whole", "part"] = "part"
    seconds: PositiveFloat = 0.1

    def __post_init__(self) -> None:
        """Refuse a wrong pattern before anything is spent."""
        if self.pattern is not None:
            compiled(self.pattern)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Match in a thread, so that a slow pattern holds nothing else up."""
        return await asyncio.to_thread(self._score, problem, candidates)

    def holds(self, problem: Problem, solution: str) -> bool:
        """Whether the pattern matches in time."""
        return self._matches(problem, solution, partial=False)

    def possible(self, problem: Problem, start: str) -> bool:
        """Whether a match may start so."""
        return self._matches(problem, start, partial=True)

    def _score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        return Judgement(tuple(Score(self.judge(problem, c)) for c in candidates))

    def _matches(self, problem: Problem, text: str, partial: bool) -> bool:
        pattern = compiled(self.pattern or _posed(problem))
        match = pattern.fullmatch if self.match == "whole" else pattern.search
        try:
            found = match(text, partial=partial, timeout=self.seconds, concurrent=True)
        except TimeoutError:
            return partial
        return found is not None


def _posed(problem: Problem) -> str:
    if "pattern" not in problem.meta:
        raise ConfigError(
            f"verifier 'regex' has no pattern, and problem {problem.id!r} brings none in its meta;"
            " give one, such as regex(pattern='#[0-9]+')"
        )
    return str(problem.meta["pattern"])


@lru_cache
def compiled(pattern: str) -> Any:
    """`pattern`, by the package regex: unlike `re`, it can be interrupted.

    Raises:
        ConfigError: it is no regular expression, or the package is missing.
    """
    try:
        import regex
    except ImportError:
        raise ConfigError("verifier 'regex' needs the package regex: pip install regex") from None
    try:
        return regex.compile(pattern)
    except regex.error as e:
        raise ConfigError(f"{pattern!r} is no regular expression: {e}") from e
