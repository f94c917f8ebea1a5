"""Derivations: arithmetic over several lines, in which later lines use the results of earlier ones."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from fractions import Fraction
from typing import Any

from reasoner.verifiers.common.expression import OPERATORS, Term, parsed, statements

MOVE = re.compile(r"(\d{1,6})([-+*/])(\d{1,6})=(\d{1,6})(?::.*)?")
"""A line of the task `countdown`: left, operator, right and result. What follows the colon, the numbers
left and the distance to the target, is a note that decides nothing."""


class Derivation:
    """The terms derived so far and not yet used, by the numbers that the text calls their results.

    The result that a line states is only a name for its term: the value is computed. With `whole`,
    results must be positive integers.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self.latest: Term | None = None
        self._terms = defaultdict[Fraction, list[Term]](list)

    @property
    def unused(self) -> list[Term]:
        """The terms not yet used."""
        return [term for terms in self._terms.values() for term in terms]

    def take(self, name: Fraction) -> Term:
        """Remove and return the latest term with this name; without one, return the number itself."""
        terms = self._terms[name]
        return terms.pop() if terms else Term(str(name), name, (name,))

    def add(self, name: Fraction, term: Term) -> None:
        """Add a term under the name that a line gives it."""
        self.latest = term
        self._terms[name].append(term)

    def note(self, line: str) -> None:
        """Add the term of a line such as `(1 + 2) * 3 = 9`; ignore any other line."""
        expressions, name = statements(line)
        if expressions and name is not None and (term := self.read(expressions[0])):
            self.add(name, term)

    def read(self, text: str) -> Term | None:
        """Return the term of an expression, whose numbers may name earlier terms; None if it is none."""
        tree = parsed(text)
        return None if tree is None else self._term(tree)

    def _term(self, tree: Any) -> Term:
        if isinstance(tree, ast.Constant):
            return self.take(Fraction(str(tree.value)))
        left, right = self._term(tree.left), self._term(tree.right)
        return left.joined(OPERATORS[type(tree.op)], right, whole=self.whole)


def derive(solution: str) -> Derivation | None:
    """Return the derivation of a solution in the format of `countdown`; None where a line is no move.

    The note of a line may be wrong or cut short.
    """
    derivation = Derivation(whole=True)
    for line in solution.strip().splitlines():
        match = MOVE.fullmatch(line)
        if match is None:
            return None
        left, right = derivation.take(Fraction(match[1])), derivation.take(Fraction(match[3]))
        derivation.add(Fraction(match[4]), left.joined(match[2], right, whole=True))
    return derivation
