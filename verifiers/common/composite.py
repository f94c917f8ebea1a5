"""Verifiers made of other verifiers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Self

from pydantic import InstanceOf

from reasoner.base import Backend, Generative, Verifier, bind, needs_model, release, start
from reasoner.registry import verifiers
from reasoner.types import Candidate, Problem, Usage

Member = str | InstanceOf[Verifier]
"""A verifier or the name of one, where settings may follow in brackets."""


class Nested(ABC):
    """Asks the model for whatever its members ask for, and is marked as they are."""

    @abstractmethod
    def named(self) -> tuple[Member, ...]:
        """The members, as they were given."""

    @cached_property
    def inner(self) -> tuple[Verifier, ...]:
        """The members.

        Raises:
            ConfigError: there is none of some name, or it has not these settings.
        """
        return tuple(verifiers.make(m) if isinstance(m, str) else m for m in self.named())

    @property
    def logprobs(self) -> bool:
        """Whether a member reads log-probabilities."""
        return any(getattr(v, "logprobs", False) for v in self.inner)

    @property
    def confidences(self) -> int:
        """Against how many of the likeliest tokens a member reads confidences."""
        return max((int(getattr(v, "confidences", 0)) for v in self.inner), default=0)

    @property
    def oracle(self) -> bool:
        """Whether a member looks at the reference answer."""
        return any(getattr(v, "oracle", False) for v in self.inner)

    @property
    def comparative(self) -> bool:
        """Whether a member's scores depend on the other candidates of the batch."""
        return any(getattr(v, "comparative", False) for v in self.inner)

    @property
    def model(self) -> Backend | None:
        """The first of the models that members ask; None as long as one is to be lent the policy's."""
        models = [v.model for v in self.inner if isinstance(v, Generative)]
        return None if self.needs_model else next(filter(None, models), None)

    @property
    def needs_model(self) -> bool:
        """Whether a member asks a model and has none of its own."""
        return any(map(needs_model, self.inner))

    def on(self, backend: Backend) -> Self:
        """A copy whose members ask `backend` where they have no model of their own."""
        lent = copy(self)
        vars(lent)["inner"] = tuple(bind(v, backend) for v in self.inner)  # as `inner` keeps them
        return lent

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """What all members may spend."""
        return sum((v.estimate(problem, candidates) for v in self.inner), Usage())

    async def start(self) -> None:
        """Start the engines of members that have one."""
        await start(*self.inner)

    async def aclose(self) -> None:
        """Release what members hold."""
        await release(*self.inner)


def ceiling(verifier: Verifier) -> float:
    """The highest score that `verifier` gives."""
    return float(getattr(verifier, "ceiling", 1.0))
