"""What may stand after an option, and how a wrong one is told."""

from __future__ import annotations

import argparse
from dataclasses import fields
from difflib import get_close_matches


def positive(text: str) -> int:
    """A whole number above zero."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        part = float(text)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return part


def rate(text: str) -> float:
    """A learning rate."""
    try:
        step = float(text)
    except ValueError:
        step = 0.0
    if not 0 < step < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a learning rate such as 1e-5")
    return step


def sizes(text: str) -> list[int]:
    """Whole numbers above zero."""
    return [positive(part) for part in text.split(",")]


def named_sizes(text: str) -> tuple[str, list[int]]:
    """Sizes, after a name and = if they are one strategy's."""
    name, _, numbers = text.rpartition("=")
    return name, sizes(numbers)


def names(text: str) -> list[str]:
    """Names, each with its settings in brackets."""
    from reasoner.registry import listed

    return listed(text)


def budget(text: str) -> dict[str, float]:
    """What `Budget` takes, such as tokens=2000,seconds=5."""
    return dict(_ceiling(part) for part in text.split(","))


def price(text: str) -> dict[str, float]:
    """What `Price` takes, such as prompt=0.15,generated=0.6."""
    from reasoner.benchmarks.costs import Price

    known, prices = [f.name for f in fields(Price)], dict[str, float]()
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            prices[name] = float(value)
        except ValueError:
            prices[name] = -1
        if name not in known or not 0 <= prices[name] < float("inf"):
            raise argparse.ArgumentTypeError(
                f"{part!r} is no price of a million tokens, such as generated=0.6;"
                f" known: {', '.join(known)}"
            )
    return prices


def formats(text: str) -> list[str]:
    """Endings of picture files."""
    endings = text.split(",")
    if wrong := [e for e in endings if e not in ("png", "svg", "pdf")]:
        raise argparse.ArgumentTypeError(f"pictures are png, svg or pdf, not {wrong[0]!r}")
    return endings


def _ceiling(text: str) -> tuple[str, float]:
    from reasoner.budget import Budget

    name, _, value = text.partition("=")
    known = [f.name for f in fields(Budget)]
    if name not in known:
        near = get_close_matches(name, known)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise argparse.ArgumentTypeError(f"no budget named {name!r}; {hint}")
    try:
        number = float(value)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: a budget is a positive number")
    return name, int(number) if name in ("tokens", "requests") else number
