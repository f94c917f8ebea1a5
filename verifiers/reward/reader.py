"""The interface of reward model engines, and the choice between vLLM and Transformers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from weakref import WeakValueDictionary

from reasoner.errors import ConfigError
from reasoner.extras import installed, require
from reasoner.types import Usage
from reasoner.verifiers.reward.encoding import Encoded, Reading
from reasoner.verifiers.reward.weights import Weights

EngineName = Literal["auto", "vllm", "transformers"]

UNSERVED = ("GPT2ForTokenClassification",)
"""Architectures that vLLM cannot serve and Transformers can."""


class Reader(Protocol):
    """A reward model on an engine. One call is one batch."""

    def worst(self, inputs: Encoded) -> Usage:
        """Return the most that reading `inputs` may cost."""
        ...

    async def start(self) -> Any:
        """Load the model; without this, the first call does."""
        ...

    async def read(self, inputs: Sequence[Encoded], salt: str) -> list[Reading]:
        """Return the raw outputs at all reads, in order; calls with the same `salt` may share a prefix cache.

        Raises:
            BackendError: the model failed.
            ConfigError: the model cannot be run this way.
        """
        ...

    async def aclose(self) -> None:
        """Release the model; the next call loads it again."""
        ...


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The server of a reward model, and what requests need there.

    `model` is the name that the server knows it by.
    """

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    api_key_env: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def reader(
    weights: Weights,
    labels: Sequence[str],
    engine: EngineName,
    arguments: Mapping[str, Any],
    server: ServerOptions | None = None,
) -> Reader:
    """Return the reader of the model in `weights`, shared by all verifiers with the same settings.

    `labels` are the tokens whose logits give a causal model's scores; none for a model with a head of its
    own. With `server`, it is the reader of a model served there.
    """
    if server:
        return _served_reader(weights, labels, server)
    served = choose_engine(engine, weights.architecture) == "vllm"
    settings = (weights.path, weights.info, *labels, repr(sorted(arguments.items())))

    def make() -> Reader:
        if served:
            from reasoner.verifiers.reward.vllm_reader import VLLMReader

            return VLLMReader(weights, labels, arguments)
        from reasoner.verifiers.reward.transformers_reader import TransformersReader

        return TransformersReader(weights, labels)

    return shared_reader((served, _loop() if served else None, *settings), make)


def _served_reader(weights: Weights, labels: Sequence[str], server: ServerOptions) -> Reader:
    def make() -> Reader:
        from reasoner.verifiers.reward.served_reader import ServedReader

        return ServedReader(weights, len(labels), server)

    return shared_reader((server, _loop(), weights.path, weights.info, *labels), make)


def choose_engine(engine: EngineName, architecture: str) -> Literal["vllm", "transformers"]:
    """Return the engine for `architecture`.

    Raises:
        ConfigError: `engine` is vLLM, which does not serve it.
    """
    if engine == "vllm" and architecture in UNSERVED:
        raise ConfigError(f"vLLM does not serve {architecture}; use engine='transformers'")
    if engine == "vllm":
        require("vllm", user="engine 'vllm'", instead="or use engine='transformers'")
    if engine == "auto":
        served = installed("vllm") and architecture not in UNSERVED
        return "vllm" if served else "transformers"
    return engine


_READERS = WeakValueDictionary[Hashable, Any]()


def shared_reader(settings: Hashable, make: Callable[[], Reader]) -> Reader:
    """Return the reader in use with these settings, or a new one."""
    reader: Reader | None = _READERS.get(settings)
    if reader is None:
        _READERS[settings] = reader = make()
    return reader


def _loop() -> asyncio.AbstractEventLoop | None:
    """Return the running event loop, if any; an engine belongs to the one that started it."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
