"""Arithmetic as text: what it comes to, exactly, and the numbers it uses."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

LONGEST = 300
"""Characters of an expression: one within is parsed in no time, however it is nested."""
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}  # fmt: skip
RUN = re.compile(r"[-+*/().\d ]+")
NUMBER = re.compile(r"[\s$*]*(\d+(?:[./]\d+)?)")
DIGIT, OPERATOR = re.compile(r"\d"), re.compile(r"[-+*/]")
BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
SIGNS = {"×": "*", "·": "*", "÷": "/", "−": "-", r"\times": "*", r"\cdot": "*", r"\div": "/"}


@dataclass(frozen=True, slots=True)
class Term:
    """An expression, what it comes to (None where it breaks a rule), and the numbers it uses, sorted."""

    expression: str
    value: Fraction | None
    numbers: tuple[Fraction, ...]

    def joined(self, operator: str, other: Term, *, whole: bool = False) -> Term:
        """`self operator other`, the operands of sums and products in order."""
        left, right = self.expression, other.expression
        if operator in "+*":
            left, right = sorted((left, right))
        value = None
        if self.value is not None and other.value is not None:
            value = result(self.value, operator, other.value, whole)
        return Term(f"({left}{operator}{right})", value, (*sorted(self.numbers + other.numbers),))


def result(left: Fraction, operator: str, right: Fraction, whole: bool) -> Fraction | None:
    """What one operation comes to, or None where it may not be: by zero, or not `whole` and above 0."""
    match operator:
        case "+":
            value = left + right
        case "-":
            value = left - right
        case "*":
            value = left * right
        case _ if right:
            value = left / right
        case _:
            return None
    return None if whole and (value <= 0 or value.denominator > 1) else value


class Made:
    """The terms made so far and not yet used, by what the text calls their results.

    What a line says of its result only names it: the value is computed.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self.latest: Term | None = None
        self._terms = defaultdict[Fraction, list[Term]](list)

    def take(self, named: Fraction) -> Term:
        """The latest term called so, which is then used up; else the number itself."""
        terms = self._terms[named]
        return terms.pop() if terms else Term(str(named), named, (named,))

    def put(self, named: Fraction, term: Term) -> None:
        """Add a term."""
        self.latest = term
        self._terms[named].append(term)

    def note(self, line: str) -> None:
        """Add what a line such as `(1 + 2) * 3 = 9` makes; any other line makes nothing."""
        expressions, named = statements(line)
        if expressions and named is not None and (term := self.read(expressions[0])):
            self.put(named, term)

    @property
    def left(self) -> list[Term]:
        """The terms not yet used."""
        return [term for terms in self._terms.values() for term in terms]

    def read(self, text: str) -> Term | None:
        """An expression whose numbers may be terms made before; None if it is no expression."""
        tree = parsed(text)
        return None if tree is None else self._term(tree)

    def _term(self, tree: Any) -> Term:
        if isinstance(tree, ast.Constant):
            return self.take(Fraction(str(tree.value)))
        left, right = self._term(tree.left), self._term(tree.right)
        return left.joined(OPERATORS[type(tree.op)], right, whole=self.whole)


def parsed(text: str) -> ast.expr | None:
    """The tree of an expression of numbers, four operators and brackets; None if it is none."""
    if len(text) > LONGEST or not RUN.fullmatch(text):
        return None
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    allowed = (ast.Constant, ast.BinOp, *OPERATORS)
    return tree if all(isinstance(node, allowed) for node in ast.walk(tree)) else None


def statements(line: str) -> tuple[list[str], Fraction | None]:
    """The expressions in a line, between its signs of equality, and the number it ends up with."""
    for sign, plain in SIGNS.items():
        line = line.replace(sign, plain)
    parts = BULLET.sub("", line, count=1).split("=")
    runs = [run for part in parts if (run := _run(part))]
    number = NUMBER.match(parts[-1]) if len(parts) > 1 else None
    return runs, Fraction(number[1]) if number and not number[1].endswith("/0") else None


def _run(part: str) -> str:
    """The longest stretch of arithmetic in a text; one with an operator goes before a bare number."""
    runs = [found.strip(" .*").lstrip(")+/ ") for found in RUN.findall(part) if DIGIT.search(found)]
    return max(runs, key=lambda run: (bool(OPERATOR.search(run)), len(run)), default="")
