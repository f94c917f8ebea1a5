"""Reward models in Transformers, for architectures that vLLM does not serve and machines without it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reasoner.errors import BackendError, ReasonerError
from reasoner.types import Usage
from reasoner.verifiers.reward.encoding import Encoded, Reading
from reasoner.verifiers.reward.weights import Weights

BATCH = 16
"""Sequences per batch, of similar length."""


class TransformersReader:
    """A reader that computes every token on every call, in batches padded on the right, in its own thread.

    A running batch continues to its end when its caller is cancelled.
    """

    def __init__(self, weights: Weights, labels: Sequence[str] = ()) -> None:
        self._weights, self._labels = weights, tuple(labels)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reward")
        self._model: Any = None

    def worst(self, inputs: Encoded) -> Usage:
        """Return the cost of one pass over all tokens."""
        size = len(inputs.ids)
        return Usage(1, size, 0, 0, self._weights.info.flops(0, size))

    async def read(self, inputs: Sequence[Encoded], salt: str) -> list[Reading]:
        """Return the raw outputs at all reads, in order.

        Raises:
            BackendError: the model failed.
            ConfigError: Transformers has no such architecture.
        """
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self._thread, self._compute, inputs)
        return [Reading(r, self.worst(a)) for r, a in zip(rows, inputs, strict=True)]

    async def start(self) -> None:
        """Load the weights; without this, the first call does."""
        await self.read((), "")

    async def aclose(self) -> None:
        """Release the weights."""
        self._model = None

    def _compute(self, inputs: Sequence[Encoded]) -> list[tuple[tuple[float, ...], ...]]:
        from reasoner.verifiers.reward.torch_heads import load

        try:
            self._model = self._model or load(self._weights, self._labels)
            rows = dict[int, tuple[tuple[float, ...], ...]]()
            order = sorted(range(len(inputs)), key=lambda i: len(inputs[i].ids))
            for start in range(0, len(order), BATCH):
                batch = order[start : start + BATCH]
                rows |= zip(batch, self._model.rows([inputs[i] for i in batch]), strict=True)
        except ReasonerError:
            raise
        except Exception as e:
            raise BackendError(f"the reward model failed: {type(e).__name__}: {e}") from e
        return [rows[i] for i in range(len(inputs))]
