"""Arithmetic expressions as text: their exact value and the numbers they use."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fractions import Fraction

from reasoner.syntax import UNBUILDABLE, parse_expression

LONGEST = 300
"""The most characters of an expression: one this long parses at once, however deeply it nests."""
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
    """An expression, its value (None where it breaks a rule), and the numbers it uses, sorted."""

    expression: str
    value: Fraction | None
    numbers: tuple[Fraction, ...]

    def joined(self, operator: str, other: Term, *, whole: bool = False) -> Term:
        """Return `self operator other`, with the operands of sums and products in alphabetical order."""
        left, right = self.expression, other.expression
        if operator in "+*":
            left, right = sorted((left, right))
        value = None
        if self.value is not None and other.value is not None:
            value = result(self.value, operator, other.value, whole)
        return Term(f"({left}{operator}{right})", value, (*sorted(self.numbers + other.numbers),))


def result(left: Fraction, operator: str, right: Fraction, whole: bool) -> Fraction | None:
    """Return the value of one operation; None for a division by zero.

    With `whole`, also None for a value that is not a positive integer.
    """
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


def parsed(text: str) -> ast.expr | None:
    """Return the tree of an expression of numbers, `+ - * /` and brackets; None if it is none."""
    if len(text) > LONGEST or not RUN.fullmatch(text):
        return None
    try:
        tree = parse_expression(text.strip())
    except UNBUILDABLE:
        return None
    allowed = (ast.Constant, ast.BinOp, *OPERATORS)
    return tree if all(isinstance(node, allowed) for node in ast.walk(tree)) else None


def statements(line: str) -> tuple[list[str], Fraction | None]:
    """Return the expressions in a line, split at its equals signs, and the number that it states last."""
    for sign, plain in SIGNS.items():
        line = line.replace(sign, plain)
    parts = BULLET.sub("", line, count=1).split("=")
    runs = [run for part in parts if (run := _run(part))]
    number = NUMBER.match(parts[-1]) if len(parts) > 1 else None
    return runs, Fraction(number[1]) if number and not number[1].endswith("/0") else None


def _run(part: str) -> str:
    """Return the longest run of arithmetic in a text, preferring one with an operator to a number."""
    runs = [match.strip(" .*").lstrip(")+/ ") for match in RUN.findall(part) if DIGIT.search(match)]
    return max(runs, key=lambda run: (bool(OPERATOR.search(run)), len(run)), default="")
