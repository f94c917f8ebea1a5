"""The settings of the server: what it offers, and the limits of a request and of all together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from reasoner.budget import Budget
from reasoner.naming import near, quoted
from reasoner.schema import Frozen

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
EFFORTS: dict[Effort, int] = {
    "none": 1, "minimal": 1, "low": 4, "medium": 8, "high": 16, "xhigh": 32, "max": 64,
}  # fmt: skip
"""The size of a search by `reasoning_effort`."""


class Strict(Frozen, extra="forbid"):
    """Fields of which no other may be given; the message names the nearest one."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, fields: Any) -> Any:
        for name in fields if isinstance(fields, dict) else ():
            if name not in cls.model_fields:
                raise ValueError(f"there is no {quoted(name)}; {near(str(name), cls.model_fields)}")
        return fields


class BudgetOptions(Strict):
    """Ceilings of a search; `None` is no ceiling."""

    tokens: PositiveInt | None = None
    flops: PositiveFloat | None = None
    seconds: PositiveFloat | None = None
    requests: PositiveInt | None = None

    def within(self, other: BudgetOptions) -> Budget:
        """Return the lower ceiling of each kind."""

        def lower(name: str) -> float | None:
            known = [v for v in (getattr(self, name), getattr(other, name)) if v is not None]
            return min(known, default=None)

        tokens, requests = lower("tokens"), lower("requests")
        return Budget(
            tokens=None if tokens is None else int(tokens),
            flops=lower("flops"),
            seconds=lower("seconds"),
            requests=None if requests is None else int(requests),
        )


class ServerSettings(Strict):
    """The settings of a server, from a file or the command line.

    Attributes:
        strategy: the search of a request that names none, but an effort.
        verifier: scores its solutions; by default what suits strategy and model.
        verifiers: reward models that requests may name, such as "math-shepherd"; they are loaded at the start.
        task: how problems are posed and what solutions answer; by default a chat's.
        efforts: the size of a search by `reasoning_effort`.
        budget: ceilings of every search, whatever the request asks for.
        searches: searches at once; further ones wait.
        queue: searches that may wait; beyond, a request is refused.
        tokens_per_minute: of each key, all tokens counted.
        choices: the largest `n` of a request.
        size: the largest `reasoner.n` of a request.
        body_bytes: the longest request.
        keys: bearer keys, one of which every request needs; none for no check.
        origins: web pages that may send requests, such as "https://chat.example".
        grace: seconds in which running searches may end when the server stops.
    """

    strategy: str = "best-of-n"
    verifier: str | None = None
    verifiers: tuple[str, ...] = ()
    task: str | None = None
    efforts: dict[Effort, PositiveInt] = Field(default_factory=lambda: dict(EFFORTS))
    budget: BudgetOptions = BudgetOptions()
    searches: PositiveInt = 64
    queue: Annotated[int, Field(ge=0)] = 256
    tokens_per_minute: PositiveInt | None = None
    choices: PositiveInt = 16
    size: PositiveInt = 1024
    body_bytes: PositiveInt = 10_000_000
    keys: tuple[str, ...] = Field(default=(), repr=False)
    origins: tuple[str, ...] = ()
    grace: PositiveFloat = 20.0
