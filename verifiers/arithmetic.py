"""Number puzzles, such as Countdown and the Game of 24, decided by their rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass as plain
from fractions import Fraction

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.types import Problem
from reasoner.verifiers.common.derivation import Derivation, derive
from reasoner.verifiers.common.expression import Term, statements
from reasoner.verifiers.common.rules import RuleVerifier

PROMPT = re.compile(r"cd:(\d+(?:,\d+)+)=(\d+)\s*$")


@dataclass(frozen=True)
class Arithmetic(RuleVerifier):
    """1 for a finished solution that computes the target from the numbers, checked exactly.

    The numbers and the target are `problem.meta["numbers"]` and `["target"]`, and the last line states
    an expression such as `(1+2)*8 = 24`, of the numbers or of results of earlier lines. Or the prompt
    is in the format of the task `countdown`; then the solution must be too, and a line that breaks the
    rules makes the score of an unfinished solution 0.

    With `every`, each number must be used exactly once, as in the Game of 24; without it, at most once,
    as on television. With `whole`, as always in the format of `countdown`, intermediate results must be
    positive integers.
    """

    every: bool = True
    whole: bool = False

    def holds(self, problem: Problem, solution: str) -> bool:
        """Return whether the solution's expression obeys the rules and equals the target."""
        puzzle = self._puzzle(problem)
        if puzzle.moves_only:
            derivation = derive(solution)
            return derivation is not None and puzzle.solved(derivation.latest)
        return any(map(puzzle.solved, readings(solution, puzzle.whole)))

    def possible(self, problem: Problem, start: str) -> bool:
        """Return whether every complete line so far obeys the rules, where each line must be a move."""
        puzzle = self._puzzle(problem)
        if not puzzle.moves_only:
            return True
        derivation = derive(start[: start.rfind("\n") + 1])
        return derivation is not None and puzzle.allows(derivation.unused)

    def check_problem(self, problem: Problem) -> None:
        """Refuse a problem without what is needed to judge it."""
        self._puzzle(problem)

    def _puzzle(self, problem: Problem) -> NumberPuzzle:
        if match := PROMPT.search(problem.prompt):
            numbers = sorted(map(Fraction, match[1].split(",")))
            target = Fraction(match[2])
            return NumberPuzzle(tuple(numbers), target, self.every, whole=True, moves_only=True)
        try:
            numbers = sorted(Fraction(x) for x in problem.meta["numbers"])
            target = Fraction(problem.meta["target"])
        except (KeyError, TypeError, ValueError):
            raise ConfigError(
                f"verifier 'arithmetic' finds no puzzle in problem {problem.id!r}: give its meta"
                " 'numbers' and a 'target', or end its prompt with one such as cd:12,3,25,7,4=306"
            ) from None
        return NumberPuzzle(tuple(numbers), target, self.every, self.whole, moves_only=False)


@plain(frozen=True, slots=True)
class NumberPuzzle:
    """Sorted numbers, a target, and the rules; with `moves_only`, every line must be a move."""

    numbers: tuple[Fraction, ...]
    target: Fraction
    every: bool
    whole: bool
    moves_only: bool

    def solved(self, term: Term | None) -> bool:
        """Return whether `term` equals the target and uses the numbers as it must."""
        if term is None or term.value != self.target:
            return False
        return term.numbers == self.numbers if self.every else self.allows([term])

    def allows(self, terms: Sequence[Term]) -> bool:
        """Return whether `terms` break no rule and together use each number at most once."""
        used = Counter(number for term in terms for number in term.numbers)
        return used <= Counter(self.numbers) and all(term.value is not None for term in terms)


def readings(solution: str, whole: bool) -> Iterator[Term | None]:
    """Yield the terms that a free-form solution may state.

    They are the expressions of its last line as they stand, then the first of them with the results of
    earlier lines substituted.
    """
    *earlier, last = [x for x in solution.splitlines() if x.strip()] or [""]
    expressions, _ = statements(last)
    yield from (Derivation(whole=whole).read(text) for text in expressions)
    derivation = Derivation(whole=whole)
    for line in earlier:
        derivation.note(line)
    yield from (derivation.read(text) for text in expressions[:1])
