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


def text(value: str) -> str:
    """Read text that is not blank."""
    if not value.strip():
        raise ArgumentTypeError("it is empty")
    return value


def whole(low: int, high: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from `low` to `high`."""
    kind = "a positive whole number" if low == 1 else "a whole number"

    def read(value: str) -> int:
        digits = value.isascii() and value.isdecimal() and len(value) <= len(str(LARGEST))
        if not digits or not low <= int(value) <= high:
            raise ArgumentTypeError(f"{quoted(value)} is not {kind} from {low} to {high}")
        return int(value)

    return read


positive = whole(1, MOST)


def share(value: str) -> float:
    """Read a number from 0 to 1."""
    if not 0 <= (part := _number(value)) <= 1:
        raise ArgumentTypeError(f"{quoted(value)} is not a share from 0 to 1")
    return part


def rate(value: str) -> float:
    """Read a learning rate."""
    if not 0 < (step := _number(value)) < 1:
        raise ArgumentTypeError(f"{quoted(value)} is not a learning rate such as 1e-5")
    return step


def temperature(value: str) -> float:
    """Read a temperature: a number from 0."""
    if not 0 <= (number := _number(value)) < float("inf"):
        raise ArgumentTypeError(f"{quoted(value)} is not a temperature such as 0.7")
    return number


def nucleus(value: str) -> float:
    """Read a share of the probability that tokens are drawn from: a number above 0, at most 1."""
    if not 0 < (part := _number(value)) <= 1:
        raise ArgumentTypeError(f"{quoted(value)} is not above 0 and at most 1")
    return part


def sizes(value: str) -> list[int]:
    """Read positive whole numbers, separated by commas."""
    return [positive(part) for part in value.split(",")]


def computes(value: str) -> list[float]:
    """Read numbers from 0 of FLOPs, separated by commas."""
    from reasoner.models.train_compute import MOST, possible

    numbers = [_number(part) for part in value.split(",")]
    if not all(map(possible, numbers)):
        raise ArgumentTypeError(
            f"{quoted(value)} is no list of FLOPs such as 0,2e15: each is 0, or from 1 to {MOST:g}"
        )
    return numbers


def amounts(value: str) -> list[float]:
    """Read positive numbers, separated by commas."""
    numbers = [_number(part) for part in value.split(",")]
    if not all(0 < number < float("inf") for number in numbers):
        raise ArgumentTypeError(f"{quoted(value)} is no list of positive numbers such as 1e5,1e6")
    return numbers


def named_sizes(value: str) -> tuple[str, list[int]]:
    """Read sizes, after a name and `=` where they are those of one strategy."""
    name, _, numbers = value.rpartition("=")
    return name, sizes(numbers)


def names(value: str) -> list[str]:
    """Read component specs, such as `mcts,beam(branch=4)`."""
    if not (parts := split_specs(text(value))):
        raise ArgumentTypeError(f"{quoted(value)} names nothing")
    return parts


def budget(spec: str) -> dict[str, float]:
    """Read the fields of a `Budget`, such as `tokens=2000,seconds=5`."""
    from reasoner.budget import Budget

    ceilings = _pairs(spec, "budget", [f.name for f in fields(Budget)])
    return {name: _ceiling(name, value) for name, value in ceilings}


def total_budget(spec: str) -> dict[str, float]:
    """Read ceilings of a whole run, such as `tokens=2e6` or `cost=5`."""
    ceilings = _pairs(spec, "total budget", ["tokens", "flops", "cost"])
    return {name: _ceiling(name, value) for name, value in ceilings}


def price(spec: str) -> dict[str, float]:
    """Read the fields of a `Price`, such as `prompt=0.15,generated=0.6`."""
    from reasoner.benchmarks.store.price import Price

    prices = _pairs(spec, "price", [f.name for f in fields(Price)])
    return {name: _price(name, value) for name, value in prices}


def formats(value: str) -> list[str]:
    """Read the file extensions of pictures."""
    endings = value.split(",")
    if wrong := [e for e in endings if e not in ("png", "svg", "pdf")]:
        raise ArgumentTypeError(f"pictures are png, svg or pdf, not {quoted(wrong[0])}")
    return endings


def _pairs(spec: str, kind: str, known: Sequence[str]) -> list[tuple[str, str]]:
    """Split `name=value,...` into pairs, and refuse names that are unknown or repeated."""
    pairs = [(name, value) for name, _, value in (p.partition("=") for p in spec.split(","))]
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


def _number(value: str) -> float:
    """Read plain decimal notation; anything else is nan."""
    return float(value) if NUMBER.fullmatch(value) else nan
