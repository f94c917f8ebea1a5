"""Equations in free text, and whether they hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product

from reasoner.verifiers.common.expression import (
    BULLET,
    LONGEST,
    OPERATORS,
    SIGNS,
    parsed,
    result,
)

THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
TIMES = re.compile(r"(?<=[\d)%])\s*[xX]\s*(?=[$£€(]?\d)")
SHARE = re.compile(r"(%|\d/\d+)\s+of\s+(?=[$£€(]?\d)")
PRODUCT = re.compile(r"(?<=\d)(?=\()|(?<=\))(?=[\d(])")
UNIT = re.compile(r"(?:/ ?|-|\b)[A-Za-z]{2,}\.?(?![A-Za-z])|[$£€]")
TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|\S")
PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
NUMBER = re.compile(r"-?\d+(?:\.(\d+))?")
PRECISION = Fraction(1, 10**9)
"""The relative error that a floating-point result may have."""
Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Equation:
    """An expression of numbers, and what a text says that it equals."""

    expression: str
    stated: str
    holds: bool


@lru_cache(1 << 16)
def stated_equations(line: str) -> tuple[Equation, ...]:
    """Return the equations of a line whose left side ends with an expression of numbers.

    Units, currencies and words are passed over. A side with a variable, or with a sign that has nothing to
    its left, is no such expression. An equation holds if its sides are equal, or if the right one is a number
    to which the value rounds, up or down, at the decimals given.
    """
    equations = (_equation(left, right) for left, right in pairwise(_plain(line).split("=")))
    return tuple(filter(None, equations))


def _plain(line: str) -> str:
    """Return a line with plain signs, without commas in numbers, and with every product written out."""
    for sign, plain in SIGNS.items():
        line = line.replace(sign, plain)
    line = THOUSANDS.sub("", BULLET.sub("", line, count=1))
    return PRODUCT.sub("*", SHARE.sub(r"\1 * ", TIMES.sub(" * ", line)))


def _equation(left: str, right: str) -> Equation | None:
    """Return the equation of two sides in the first reading in which it holds, else in the last."""
    equation = None
    for before, after in product(_readings(left[-LONGEST:]), _readings(right[:LONGEST])):
        if (expression := _ending(before)) is None or (value := _value(expression)) is None:
            continue
        for stated in _beginnings(after):
            equation = Equation(expression, stated, _equal(value, stated))
            if equation.holds:
                return equation
    return equation


def _readings(side: str) -> list[Tokens]:
    """Return the tokens of a side without units, with a percentage as a share of 1, and as a number."""
    side = UNIT.sub(" ", side)
    readings = [PERCENT.sub(number, side) for number in (r"(\1/100)", r"\1")]
    return [tuple(TOKEN.findall(reading)) for reading in dict.fromkeys(readings)]


def _ending(tokens: Tokens) -> str | None:
    """Return the longest expression with an operator that ends a side; None if there is none."""
    for first in range(len(tokens) - 2):
        expression = _signed(" ".join(tokens[first:]))
        if parsed(expression):
            return None if first and tokens[first - 1] in OPERATORS.values() else expression
    return None


def _beginnings(tokens: Tokens) -> Iterator[str]:
    """Yield the number that begins a side, and the longest expression that does."""
    number = "".join(tokens[: 2 if tokens[:1] == ("-",) else 1])
    if NUMBER.fullmatch(number):
        yield number
    for last in range(len(tokens), 1, -1):
        if parsed(expression := _signed(" ".join(tokens[:last]))):
            yield expression
            return


def _signed(expression: str) -> str:
    """Return an expression that begins with a minus as a difference."""
    return f"0 {expression}" if expression.startswith("-") else expression


def _equal(value: Fraction, stated: str) -> bool:
    other = _value(_signed(stated))
    if other is None:
        return False
    error, number = abs(value - other), NUMBER.fullmatch(stated)
    rounding = Fraction(1, 10 ** len(number[1] or "")) if number else 0
    return error < rounding or error <= PRECISION * abs(value)


def _value(expression: str) -> Fraction | None:
    """Return the exact value; None for a division by zero."""
    tree = parsed(expression)
    return None if tree is None else _evaluated(tree)


def _evaluated(tree: ast.expr) -> Fraction | None:
    if isinstance(tree, ast.Constant):
        return Fraction(str(tree.value))
    assert isinstance(tree, ast.BinOp)
    left, right = _evaluated(tree.left), _evaluated(tree.right)
    if left is None or right is None:
        return None
    return result(left, OPERATORS[type(tree.op)], right, whole=False)
