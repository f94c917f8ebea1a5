"""Readers of values on the command line; each raises an `ArgumentTypeError` that says what is wrong."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import fields
from math import nan

from reasoner.naming import LARGEST, near, quoted, split_specs
from reasoner.options import MOST

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def text(given: str) -> str:
    """Read text that is not blank."""
    if not given.strip():
        raise ArgumentTypeError("it is empty")
    return given


def whole(low: int, high: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from `low` to `high`."""
    kind = "a positive whole number" if low == 1 else "a whole number"

    def read(given: str) -> int:
        digits = given.isascii() and given.isdecimal() and len(given) <= len(str(LARGEST))
        if not digits or not low <= int(given) <= high:
            raise ArgumentTypeError(f"{quoted(given)} is not {kind} from {low} to {high}")
        return int(given)

    return read


positive = whole(1, MOST)


def share(given: str) -> float:
    """Read a number from 0 to 1."""
    if not 0 <= (part := _number(given)) <= 1:
        raise ArgumentTypeError(f"{quoted(given)} is not a share from 0 to 1")
    return part


def rate(given: str) -> float:
    """Read a learning rate."""
    if not 0 < (step := _number(given)) < 1:
        raise ArgumentTypeError(f"{quoted(given)} is not a learning rate such as 1e-5")
    return step


def sizes(given: str) -> list[int]:
    """Read positive whole numbers, separated by commas."""
    return [positive(part) for part in given.split(",")]


def named_sizes(given: str) -> tuple[str, list[int]]:
    """Read sizes, after a name and `=` where they are those of one strategy."""
    name, _, numbers = given.rpartition("=")
    return name, sizes(numbers)


def names(given: str) -> list[str]:
    """Read component specs, such as `mcts,beam(branch=4)`."""
    if not (parts := split_specs(text(given))):
        raise ArgumentTypeError(f"{quoted(given)} names nothing")
    return parts


def budget(given: str) -> dict[str, float]:
    """Read the fields of a `Budget`, such as `tokens=2000,seconds=5`."""
    from reasoner.budget import Budget

    ceilings = _pairs(given, "budget", [f.name for f in fields(Budget)])
    return {name: _ceiling(name, value) for name, value in ceilings}


def price(given: str) -> dict[str, float]:
    """Read the fields of a `Price`, such as `prompt=0.15,generated=0.6`."""
    from reasoner.benchmarks.analysis.cost_axes import Price

    prices = _pairs(given, "price", [f.name for f in fields(Price)])
    return {name: _price(name, value) for name, value in prices}


def formats(given: str) -> list[str]:
    """Read the file extensions of pictures."""
    endings = given.split(",")
    if wrong := [e for e in endings if e not in ("png", "svg", "pdf")]:
        raise ArgumentTypeError(f"pictures are png, svg or pdf, not {quoted(wrong[0])}")
    return endings


def _pairs(given: str, kind: str, known: Sequence[str]) -> list[tuple[str, str]]:
    """Split `name=value,...` into pairs, and refuse names that are unknown or repeated."""
    pairs = [(name, value) for name, _, value in (p.partition("=") for p in given.split(","))]
    named = [name for name, _ in pairs]
    for name in named:
        if name not in known:
            raise ArgumentTypeError(f"no {kind} named {quoted(name)}; {near(name, known)}")
        if named.count(name) > 1:
            raise ArgumentTypeError(f"{kind} {name} is given twice")
    return pairs


def _ceiling(name: str, value: str) -> float:
    counted = name in ("tokens", "requests")
    number = _number(value)
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{quoted(f'{name}={value}')}: a budget is a positive number")
    if counted and (number != int(number) or number > LARGEST):
        raise ArgumentTypeError(f"{quoted(f'{name}={value}')}: {name} must be a whole number")
    return int(number) if counted else number


def _price(name: str, value: str) -> float:
    number = _number(value)
    if not 0 <= number < float("inf"):
        raise ArgumentTypeError(
            f"{quoted(f'{name}={value}')} is no price of a million tokens, such as generated=0.6"
        )
    return number


def _number(given: str) -> float:
    """Read plain decimal notation; anything else is nan."""
    return float(given) if NUMBER.fullmatch(given) else nan
