"""Names of models: the base, which samples once, and `base:strategy` for every strategy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from reasoner.naming import near, quoted
from reasoner.registry import strategies
from reasoner.server.api_errors import ApiError


class ModelNames:
    """The models that a server lists."""

    def __init__(self, base: str) -> None:
        self.base, self._started = base, int(time.time())

    def all(self) -> Iterator[str]:
        """Yield every name, the base first."""
        yield self.base
        yield from (f"{self.base}:{strategy}" for strategy in strategies.names())

    def strategy(self, name: str) -> str | None:
        """Return the strategy of a model's name; None for the base alone.

        Raises:
            ApiError: there is no such model.
        """
        if name == self.base:
            return None
        strategy = name.removeprefix(f"{self.base}:")
        if name.startswith(f"{self.base}:") and strategy in strategies.names():
            return strategy
        raise ApiError(
            404, f"there is no model {quoted(name)}; {near(name, list(self.all()))}",
            param="model", code="model_not_found",
        )  # fmt: skip

    def described(self, name: str) -> dict[str, Any]:
        """Return the entry of a model; raises as `strategy`."""
        self.strategy(name)
        return {
            "id": name, "object": "model", "created": self._started, "owned_by": "reasoner",
        }  # fmt: skip
