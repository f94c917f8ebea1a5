"""Number puzzles, Countdown and the Game of 24: their rules decide."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass as plain
from fractions import Fraction

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.types import Problem
from reasoner.verifiers.common.expression import Made, Term, statements
from reasoner.verifiers.common.rules import Rule

PROMPT = re.compile(r"cd:(\d+(?:,\d+)+)=(\d+)\s*$")
MOVE = re.compile(r"(\d{1,6})([-+*/])(\d{1,6})=(\d{1,6})(?::.*)?")
"""A line of `countdown`. What follows the colon, the numbers left and the distance to the target, is
a note that decides nothing."""


@dataclass(frozen=True)
class Arithmetic(Rule):
    """1 for a finished solution that makes the target from the numbers, computed exactly.

    Numbers and target are `problem.meta["numbers"]` and `["target"]`, and the last line states an
    expression such as `(1+2)*8 = 24`, of the numbers or of results that earlier lines made. Or the
    prompt is in the format of the task `countdown`, and so must be the solution; of one under way, a
    line that breaks the rules then makes the score 0.

    The Game of 24 uses `every` number once; without it, each is used at most once, as on television.
    With `whole`, as always in the format of `countdown`, results on the way are positive integers.
    """

    every: bool = True
    whole: bool = False

    def holds(self, problem: Problem, solution: str) -> bool:
        """Whether the solution's expression uses the numbers as it may and comes to the target."""
        puzzle = self._puzzle(problem)
        if puzzle.lines:
            made = derivation(solution)
            return made is not None and puzzle.solved(made.latest)
        return any(map(puzzle.solved, readings(solution, puzzle.whole)))

    def possible(self, problem: Problem, start: str) -> bool:
        """Whether every whole line so far keeps to the rules, where lines are moves."""
        puzzle = self._puzzle(problem)
        if not puzzle.lines:
            return True
        made = derivation(start[: start.rfind("\n") + 1])
        return made is not None and puzzle.allows(made.left)

    def check_problem(self, problem: Problem) -> None:
        """Refuse a problem without what is needed to judge it."""
        self._puzzle(problem)

    def _puzzle(self, problem: Problem) -> Puzzle:
        if match := PROMPT.search(problem.prompt):
            numbers = sorted(map(Fraction, match[1].split(",")))
            return Puzzle(tuple(numbers), Fraction(match[2]), self.every, whole=True, lines=True)
        try:
            numbers = sorted(Fraction(x) for x in problem.meta["numbers"])
            target = Fraction(problem.meta["target"])
        except (KeyError, TypeError, ValueError):
            raise ConfigError(
                f"verifier 'arithmetic' finds no puzzle in problem {problem.id!r}: give its meta"
                " 'numbers' and a 'target', or end its prompt with one such as cd:12,3,25,7,4=306"
            ) from None
        return Puzzle(tuple(numbers), target, self.every, self.whole, lines=False)


@plain(frozen=True, slots=True)
class Puzzle:
    """Numbers, sorted, a target, and the rules; `lines` tells that every line must be a move."""

    numbers: tuple[Fraction, ...]
    target: Fraction
    every: bool
    whole: bool
    lines: bool

    def solved(self, term: Term | None) -> bool:
        """Whether `term` comes to the target with the numbers that it must use."""
        if term is None or term.value != self.target:
            return False
        return term.numbers == self.numbers if self.every else self.allows([term])

    def allows(self, terms: Sequence[Term]) -> bool:
        """Whether `terms` together break no rule: each number is used at most once."""
        used = Counter(number for term in terms for number in term.numbers)
        return used <= Counter(self.numbers) and all(term.value is not None for term in terms)


def derivation(solution: str) -> Made | None:
    """The moves of a solution in the format of `countdown`, or None where a line is none."""
    made = Made(whole=True)
    for line in solution.strip().splitlines():
        match = MOVE.fullmatch(line)
        if match is None:
            return None
        left, right = made.take(Fraction(match[1])), made.take(Fraction(match[3]))
        made.put(Fraction(match[4]), left.joined(match[2], right, whole=True))
    return made


def readings(solution: str, whole: bool) -> Iterator[Term | None]:
    """What a free solution may say: its last line's expressions as they are, or of results before."""
    *before, last = [x for x in solution.splitlines() if x.strip()] or [""]
    expressions, _ = statements(last)
    yield from (Made(whole=whole).read(text) for text in expressions)
    made = Made(whole=whole)
    for line in before:
        made.note(line)
    yield from (made.read(text) for text in expressions[:1])
