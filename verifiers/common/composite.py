"""The base of verifiers that consist of other verifiers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Self

from pydantic import InstanceOf

from reasoner.answering import reading
from reasoner.base import (
    Backend,
    Generative,
    Verifier,
    bind,
    check_model,
    check_problem,
    needs_model,
    release,
    start,
)
from reasoner.registry import verifiers
from reasoner.traits import VerifierTraits, join_verifiers, verifier_traits
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
    def traits(self) -> VerifierTraits:
        """The members' needs together, and the highest of their ceilings."""
        lent = [v for v in self.inner if needs_model(v)]  # A model of its own is a member's affair.
        joined = join_verifiers(map(verifier_traits, self.inner))
        labels = any(verifier_traits(v).labels for v in lent)
        return replace(joined, labels=labels, asks_model=bool(lent))

    @property
    def model(self) -> Backend | None:
        """The first of the members' models; None while a member still needs one."""
        models = [v.model for v in self.inner if isinstance(v, Generative)]
        return None if any(map(needs_model, self.inner)) else next(filter(None, models), None)

    def on(self, backend: Backend) -> Self:
        """Return a copy whose members use `backend` where they have no model."""
        return self._with(tuple(bind(v, backend) for v in self.inner))

    def reading(self, extract: Callable[[str], str | None]) -> Self:
        """Return a copy whose members find answers by `extract` where they have no rule."""
        return self._with(tuple(reading(v, extract) for v in self.inner))

    def _with(self, members: tuple[Verifier, ...]) -> Self:
        changed = copy(self)
        vars(changed)["inner"] = members  # as `inner` keeps them
        return changed

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the most that all members together may spend."""
        return sum((v.estimate(problem, candidates) for v in self.inner), Usage())

    def check_model(self, model: Backend) -> None:
        """Refuse a model that a member cannot ask."""
        for member in self.inner:
            check_model(member, model)

    def check_problem(self, problem: Problem) -> None:
        """Refuse a problem that a member cannot judge."""
        for member in self.inner:
            check_problem(member, problem)

    async def start(self) -> None:
        """Start the engines of members that have one."""
        await start(*self.inner)

    async def aclose(self) -> None:
        """Release the members' resources."""
        await release(*self.inner)
