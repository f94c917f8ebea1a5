"""The verifier of a command: the one that is named, or the one that suits model and strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reasoner.cli.engine import engine
from reasoner.cli.option_types import ModelOptions
from reasoner.errors import ConfigError

if TYPE_CHECKING:
    from reasoner.benchmarks.store.grid import Grid


class VerifierOptions(ModelOptions, Protocol):
    """The options of a command that may name a verifier."""

    @property
    def verifier(self) -> str | None: ...


def named_verifier(verifier: str | None, strategy: str) -> str | None:
    """Return the verifier that `solve` names; None if the strategy uses none.

    Raises:
        ConfigError: it needs reference answers.
    """
    from reasoner.registry import strategies, verifiers
    from reasoner.traits import strategy_traits, verifier_traits

    if verifier and verifier_traits(verifiers.load(verifier)).oracle:
        raise ConfigError(
            f"verifier {verifier!r} needs reference answers; use it with `reasoner bench`"
        )
    used = strategy_traits(strategies.load(strategy)).uses_verifier
    return verifier if used else None


def with_default_verifier(grid: Grid, options: VerifierOptions) -> Grid:
    """Return the grid with the verifier that suits model and strategies, where none is named.

    Raises:
        ConfigError: none suits them.
    """
    from reasoner.api import open_backend
    from reasoner.benchmarks.runner.components import sized
    from reasoner.suitability import default_verifier

    if options.verifier is not None:
        return grid
    backend = open_backend(options.model, **engine(options))
    scored = dict.fromkeys(spec.strategy for spec in grid.specs() if spec.verifier)
    names = [default_verifier(sized(name, None), backend) for name in scored]
    return grid.model_copy(update={"verifier": next(filter(None, names), grid.verifier)})
