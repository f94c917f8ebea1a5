"""The verifier of a command: the one that is named, or the one that suits model and strategies."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from reasoner.cli.engine import engine
from reasoner.cli.option_types import ModelOptions
from reasoner.errors import ConfigError
from reasoner.terminal import echo

if TYPE_CHECKING:
    from reasoner.base import Backend
    from reasoner.benchmarks.store.grid import Grid


class VerifierOptions(ModelOptions, Protocol):
    """The options of a command that may name a verifier."""

    @property
    def verifier(self) -> str | None: ...
    @property
    def model_fields_set(self) -> set[str]: ...


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

    Default strategies that no verifier suits on this model, such as step searches on a model without
    verdict tokens, are left out, which standard error says. Named ones are not.

    Raises:
        ConfigError: none suits them.
    """
    from reasoner.api import open_backend

    if options.verifier is not None:
        return grid
    backend = open_backend(options.model, **engine(options))
    if "strategy" not in options.model_fields_set:
        grid = _with_suited_strategies(grid, backend)
    scored = dict.fromkeys(spec.strategy for spec in grid.specs() if spec.verifier)
    names = [_verifier(name, backend) for name in scored]
    return grid.model_copy(update={"verifier": next(filter(None, names), grid.verifier)})


def _with_suited_strategies(grid: Grid, backend: Backend) -> Grid:
    """Return the grid without the strategies that no verifier suits on this model."""
    unsuited = [name for name in grid.strategies if not _suits(name, backend)]
    if not unsuited:
        return grid
    echo(
        f"reasoner: {', '.join(unsuited)} left out: they score steps, and {backend.model.name!r} has no"
        " verdict tokens; name a --verifier to run them",
        sys.stderr,
    )
    suited = tuple(name for name in grid.strategies if name not in unsuited)
    return grid.model_copy(update={"strategies": suited})


def _suits(strategy: str, backend: Backend) -> bool:
    try:
        _verifier(strategy, backend)
    except ConfigError:
        return False
    return True


def _verifier(strategy: str, backend: Backend) -> str | None:
    """Return the default verifier of a strategy.

    Raises:
        ConfigError: it needs one, and none suits it.
    """
    from reasoner.benchmarks.runner.components import sized
    from reasoner.suitability import default_verifier

    return default_verifier(sized(strategy, None), backend)
