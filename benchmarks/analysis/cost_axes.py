"""The costs that a curve can be drawn against: everything that more inference compute spends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reasoner.benchmarks.analysis.curves import Point
from reasoner.benchmarks.store.price import Price
from reasoner.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Axis:
    """A cost per problem and its name; 0 where it is not known."""

    label: str
    of: Callable[[Point], float]


AXES = {
    "tokens": Axis("generated tokens per problem", lambda p: p.generated_tokens),
    "flops": Axis("FLOPs per problem, verifier included", lambda p: p.flops),
    "thinking": Axis("thinking tokens per problem", lambda p: p.thinking_tokens),
    "seconds": Axis("seconds per problem, others beside it", lambda p: p.seconds),
    "samples": Axis("samples per problem", lambda p: p.n),
}
PRICE = "price"
USUAL = ("tokens", "flops")


def chosen(names: Sequence[str], price: Price | None, points: Sequence[Point]) -> list[Axis]:
    """The axes called `names`; the usual ones without names, and the price where there is one.

    Of the usual ones, those that no point has are left out: what was recorded elsewhere may tell
    neither. Where it tells nothing, the number of samples is taken.

    Raises:
        ConfigError: there is no such axis, or no price to draw against.
    """
    known = {**AXES, **({PRICE: Axis("price per problem", price.of)} if price else {})}
    if unknown := [name for name in names if name not in known]:
        hint = (
            "give it with --price" if unknown[0] == PRICE else f"known: {', '.join(known)}, {PRICE}"
        )
        raise ConfigError(f"there is nothing called {unknown[0]!r} to draw against; {hint}")
    if names:
        return [known[name] for name in names]
    usual = (*USUAL, *([PRICE] if price else []))
    spent = [known[name] for name in usual if any(known[name].of(p) > 0 for p in points)]
    return spent or [AXES["samples"]]
