"""Tensor, pipeline and data parallelism, checked before an engine starts."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from reasoner.errors import ConfigError

SIZES = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")


def check_parallel(arguments: Mapping[str, Any], heads: int, devices: int | None) -> None:
    """Raise unless a model of `heads` attention heads can be spread over `devices` GPUs.

    Without GPUs (None), and with engines on several machines, only the heads are checked.

    Raises:
        ConfigError: the heads cannot be divided, or there are too few GPUs.
    """
    tensor = arguments.get("tensor_parallel_size", 1)
    if heads % tensor:
        sizes = ", ".join(str(n) for n in range(1, heads + 1) if heads % n == 0)
        raise ConfigError(
            f"tensor_parallel_size={tensor} does not divide the model's {heads} heads; choose of {sizes}"
        )
    elsewhere = (
        arguments.get("nnodes", 1) > 1 or arguments.get("distributed_executor_backend") == "ray"
    )
    needed = prod(arguments.get(name, 1) for name in SIZES)
    if devices is not None and needed > devices and not elsewhere:
        spread = ", ".join(f"{name}={arguments[name]}" for name in SIZES if name in arguments)
        raise ConfigError(f"{spread} needs {needed} GPUs, and there are {devices}; choose less")
