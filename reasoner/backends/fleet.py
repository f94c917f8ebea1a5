"""Several servers of one model as one backend, with all calls of a problem at one of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from reasoner.backends.openai import OpenAI
from reasoner.base import Halt, ModelInfo
from reasoner.concurrency import gather
from reasoner.errors import BackendError, ConfigError
from reasoner.redaction import redacted
from reasoner.registry import backends
from reasoner.traits import BackendTraits
from reasoner.types import Generation, Problem, Prompt, Sampling

logger = logging.getLogger(__name__)

REST = 30.0
"""Seconds in which a server that failed gets no problem."""
HASTE: dict[str, Any] = {"retries": 2, "patience": 60.0}
"""Settings of `OpenAI` with other defaults: with more servers there is less reason to wait for one."""
REMEMBERED = 100_000
"""The most problems whose server is known; beyond, all are placed anew."""


@dataclass(eq=False, slots=True)
class Member:
    """A server: its samples in flight, the problems it got, and the time until which it rests."""

    address: str
    backend: OpenAI
    samples: int = 0
    problems: int = 0
    rests_until: float = field(default=0.0)

    @property
    def resting(self) -> bool:
        """True for some time after a failure."""
        return time.monotonic() < self.rests_until

    def rest(self, error: BackendError) -> None:
        """Begin a rest, and log the first error."""
        if not self.resting:
            place = redacted(self.address)
            logger.warning("%s failed and rests for %.0f seconds: %s", place, REST, error)
        self.rests_until = time.monotonic() + REST


class Fleet:
    """The servers at several addresses, all with the same model.

    A problem goes to the server with the fewest samples in flight, and stays there, where the beginnings of
    its solutions are cached. A server that fails rests for a while: its problems move to others, and a call
    that failed is repeated there. A watched sample, of which a part was seen, is not repeated.

    Args:
        model: the name that every server knows the model by.
        base_url: the addresses, with commas.
        settings: those of `OpenAI`, for each server.

    Raises:
        ConfigError: an address is none or stands there twice, or there is no such setting.
    """

    def __init__(self, model: str, *, base_url: str, **settings: Any) -> None:
        addresses = [part.strip() for part in base_url.split(",")]
        if len(set(addresses)) < len(addresses) or not all(addresses):
            raise ConfigError("base_url names servers with commas, each once")
        self.members = [
            Member(place, backends.make("openai", model, base_url=place, **HASTE | settings))
            for place in addresses
        ]
        self._homes = dict[tuple[Any, ...], Member]()

    @property
    def traits(self) -> BackendTraits:
        """The traits of the first server."""
        return self.members[0].backend.traits

    @property
    def model(self) -> ModelInfo:
        """The model's name, and its size if it is known."""
        return self.members[0].backend.model

    def prompt_length(self, prompt: Prompt) -> int:
        """Return the prompt's tokens, as its server counts them."""
        home = self._homes.get(_name(prompt.problem), self.members[0])
        return home.backend.prompt_length(prompt)

    def encode(self, text: str) -> tuple[int, ...]:
        """Return one unknown token per character, an upper bound."""
        return self.members[0].backend.encode(text)

    async def recognise(self) -> None:
        """Look up the kind of each server.

        Raises:
            ConfigError: a server does not take one of the settings.
        """
        await gather(member.backend.recognise() for member in self.members)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Continue `prompt` at its server, or at another one if that fails.

        Raises:
            AccessDenied: a server refuses every request.
            ConfigError: the server refuses this request.
            BackendError: all servers failed.
        """
        failed = set[Member]()
        while True:
            member = self._place(prompt.problem, failed)
            try:
                return await self._at(member, sampling.n, lambda b: b.generate(prompt, sampling))
            except BackendError:
                failed.add(member)
                if len(failed) == len(self.members):
                    raise

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Stream one sample from the problem's server; raises as `generate`, at the first failure."""
        member = self._place(prompt.problem, ())
        return await self._at(member, 1, lambda b: b.watch(prompt, sampling, halt))

    async def aclose(self) -> None:
        """Close the connections."""
        for member in self.members:
            await member.backend.aclose()

    async def _at(
        self, member: Member, samples: int, call: Callable[[OpenAI], Awaitable[Generation]]
    ) -> Generation:
        """Call a server; let it rest if it fails."""
        member.samples += samples
        try:
            return await call(member.backend)
        except BackendError as e:
            member.rest(e)
            raise
        finally:
            member.samples -= samples

    def _place(self, problem: Problem, failed: Collection[Member]) -> Member:
        """Return the server of a problem: its own, or the least busy one that neither failed nor rests."""
        name = _name(problem)
        home = self._homes.get(name)
        if home and home not in failed and not home.resting:
            return home
        left: Sequence[Member] = [m for m in self.members if m not in failed]
        awake = [m for m in left if not m.resting] or left
        chosen = min(awake, key=lambda m: (m.samples, m.problems))
        if len(self._homes) >= REMEMBERED:
            self._homes.clear()
        self._homes[name] = chosen
        chosen.problems += 1
        return chosen


def _name(problem: Problem) -> tuple[Any, ...]:
    return (problem.id, *problem.key)
