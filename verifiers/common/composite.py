"""The base of verifiers that consist of other verifiers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Self

from pydantic import InstanceOf

from reasoner.base import Backend, Generative, Verifier, asks, bound, ready, release
from reasoner.registry import verifiers
from reasoner.types import Candidate, Problem, Usage

Member = str | InstanceOf[Verifier]
"""A verifier, or the name of one, with optional settings in brackets."""


class Nested(ABC):
    """A verifier with members, which needs from the model what they need, and has their traits."""

    @abstractmethod
    def named(self) -> tuple[Member, ...]:
        """Return the members as specified, names or verifiers."""

    @cached_property
    def inner(self) -> tuple[Verifier, ...]:
        """The members.

        Raises:
            ConfigError: a name or a setting does not exist.
        """
        return tuple(verifiers.make(m) if isinstance(m, str) else m for m in self.named())

    @property
    def logprobs(self) -> bool:
        """Whether a member reads log-probabilities."""
        return any(getattr(v, "logprobs", False) for v in self.inner)

    @property
    def confidences(self) -> int:
        """The number of likeliest tokens against which members read confidences."""
        return max((int(getattr(v, "confidences", 0)) for v in self.inner), default=0)

    @property
    def oracle(self) -> bool:
        """Whether a member reads the reference answer."""
        return any(getattr(v, "oracle", False) for v in self.inner)

    @property
    def comparative(self) -> bool:
        """Whether a member's scores depend on the other candidates of the batch."""
        return any(getattr(v, "comparative", False) for v in self.inner)

    @property
    def model(self) -> Backend | None:
        """The first of the members' models; None while a member still needs one."""
        models = [v.model for v in self.inner if isinstance(v, Generative)]
        return None if self.asks else next(filter(None, models), None)

    @property
    def asks(self) -> bool:
        """Whether a member needs a model and has none."""
        return any(map(asks, self.inner))

    def on(self, backend: Backend) -> Self:
        """Return a copy whose members use `backend` where they have no model."""
        lent = copy(self)
        vars(lent)["inner"] = tuple(bound(v, backend) for v in self.inner)  # as `inner` keeps them
        return lent

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the most that all members together may spend."""
        return sum((v.estimate(problem, candidates) for v in self.inner), Usage())

    async def start(self) -> None:
        """Start the engines of members that have one."""
        await ready(*self.inner)

    async def aclose(self) -> None:
        """Release the members' resources."""
        await release(*self.inner)


def ceiling(verifier: Verifier) -> float:
    """Return the highest score of `verifier`, 1 unless it declares another."""
    return float(getattr(verifier, "ceiling", 1.0))
