"""The verifier of a command: the one that is named, or the one that suits model and strategies."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from reasoner.cli.arguments import engine
from reasoner.errors import ConfigError

if TYPE_CHECKING:
    from reasoner.benchmarks.store.grid import Grid


def named_verifier(args: argparse.Namespace) -> str | None:
    """Return the verifier that `solve` is given by name; None where the strategy uses none.

    Raises:
        ConfigError: it needs reference answers.
    """
    from reasoner.registry import strategies, verifiers
    from reasoner.traits import strategy_traits, verifier_traits

    if args.verifier and verifier_traits(verifiers.load(args.verifier)).oracle:
        raise ConfigError(
            f"verifier {args.verifier!r} needs reference answers; use it with `reasoner bench`"
        )
    used = strategy_traits(strategies.load(args.strategy)).uses_verifier
    return args.verifier if used else None


def with_default_verifier(grid: Grid, args: argparse.Namespace) -> Grid:
    """Return the grid with the verifier that suits model and strategies, where none is named.

    Raises:
        ConfigError: none suits them.
    """
    from reasoner.api import open_backend
    from reasoner.benchmarks.runner.components import sized
    from reasoner.suitability import default_verifier

    if args.verifier is not None:
        return grid
    backend = open_backend(args.model, **engine(args))
    scored = dict.fromkeys(spec.strategy for spec in grid.specs() if spec.verifier)
    names = [default_verifier(sized(name, None), backend) for name in scored]
    return grid.model_copy(update={"verifier": next(filter(None, names), grid.verifier)})
