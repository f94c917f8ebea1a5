"""Who computes a reward model: the seam, and the choice between vLLM and Transformers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Literal, Protocol
from weakref import WeakValueDictionary

from reasoner.errors import ConfigError
from reasoner.types import Usage
from reasoner.verifiers.reward.encoding import Encoded, Reading
from reasoner.verifiers.reward.weights import Weights

Engine = Literal["auto", "vllm", "transformers"]

UNSERVED = ("GPT2ForTokenClassification",)
"""Architectures that vLLM cannot serve and Transformers can."""


class Reader(Protocol):
    """A reward model that runs somewhere. One call is one batch."""

    def worst(self, asked: Encoded) -> Usage:
        """The most that reading `asked` may cost."""
        ...

    async def start(self) -> Any:
        """Load the model, which the first call does else."""
        ...

    async def read(self, asked: Sequence[Encoded], salt: str) -> list[Reading]:
        """The raw outputs at all reads, in order; who shares a `salt` may share a prefix cache.

        Raises:
            BackendError: the model failed.
            ConfigError: the model cannot be run this way.
        """
        ...

    async def aclose(self) -> None:
        """Release the model; the next call would load it again."""
        ...


def reader(
    weights: Weights, labels: Sequence[str], engine: Engine, arguments: Mapping[str, Any]
) -> Reader:
    """What computes the model in `weights`, one for all verifiers that ask for the same.

    `labels` are the tokens whose logits a causal model's scores are read from; none for a model
    that has a head of its own.
    """

    served = chosen(engine, weights.architecture) == "vllm"
    settings = (weights.path, weights.info, *labels, repr(sorted(arguments.items())))

    def make() -> Reader:
        if served:
            from reasoner.verifiers.reward.vllm_reader import Served

            return Served(weights, labels, arguments)
        from reasoner.verifiers.reward.transformers_reader import Plain

        return Plain(weights, labels)

    return shared((served, _loop() if served else None, *settings), make)


def chosen(engine: Engine, architecture: str) -> Literal["vllm", "transformers"]:
    """Who computes `architecture`.

    Raises:
        ConfigError: vLLM was asked for and cannot.
    """
    if engine == "vllm" and architecture in UNSERVED:
        raise ConfigError(f"vLLM does not serve {architecture}; use engine='transformers'")
    if engine == "auto":
        there = find_spec("vllm") is not None and architecture not in UNSERVED
        return "vllm" if there else "transformers"
    return engine


_READERS = WeakValueDictionary[Hashable, Any]()


def shared(settings: Hashable, make: Callable[[], Reader]) -> Reader:
    """The reader with these settings that is in use, or a new one."""
    found: Reader | None = _READERS.get(settings)
    if found is None:
        _READERS[settings] = found = make()
    return found


def _loop() -> asyncio.AbstractEventLoop | None:
    """The event loop; an engine lives in the one it was started from."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
