"""The interface of an experiment tracker, and the trackers by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from reasoner import extras
from reasoner.errors import ConfigError
from reasoner.naming import near, quoted


class Tracker(Protocol):
    """A run in a tracker; all calls come from one thread."""

    def check(self) -> None:
        """Refuse what would fail later, such as a missing key.

        Raises:
            ConfigError: the tracker cannot be used as it is set up.
        """
        ...

    def open(self, name: str, identity: str | None, parameters: Mapping[str, str]) -> str:
        """Begin a run, or go on with the one that has this identity, and return the identity."""
        ...

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a value to each of some metrics."""
        ...

    def attach(self, files: Sequence[Path]) -> None:
        """Upload files."""
        ...

    def close(self, *, finished: bool) -> None:
        """End the run; `finished` is False if it was interrupted."""
        ...


TRACKERS: Mapping[str, str] = {"mlflow": "MLflow", "wandb": "WandB"}
"""The class of each tracker, in the module of its name."""


def known(name: str) -> str:
    """Return the name of a tracker.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in TRACKERS:
        raise ConfigError(f"unknown tracker {quoted(name)}; {near(name, TRACKERS)}")
    return name


def tracker(name: str) -> Tracker:
    """Return the tracker of this name, which has done nothing yet.

    Raises:
        ConfigError: there is none of this name, or it cannot be used as it is set up.
        MissingPackage: its package is not installed.
    """
    extras.require(known(name), user=f"--track {name}")
    chosen: Tracker = getattr(import_module(f"{__package__}.{name}"), TRACKERS[name])()
    chosen.check()
    return chosen
