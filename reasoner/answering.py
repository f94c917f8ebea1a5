"""Verifiers that read the answers of solutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self, TypeVar, runtime_checkable


@runtime_checkable
class Answering(Protocol):
    """A verifier that reads answers, or has members that do."""

    def reading(self, extract: Callable[[str], str | None]) -> Self:
        """Return a copy that finds answers by `extract` where it was not told how."""
        ...


V = TypeVar("V")


def reading(verifier: V, extract: Callable[[str], str | None]) -> V:
    """Return `verifier`, which finds answers by `extract`, the rule of a task, if it reads any."""
    return verifier.reading(extract) if isinstance(verifier, Answering) else verifier
