"""The resources of one engine, and the engines that a cluster has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from reasoner.benchmarks.workers.spec import WorkersSpec
from reasoner.errors import ConfigError
from reasoner.models.parallel import SIZES
from reasoner.naming import parse_spec

Resources = Mapping[str, float]
LOCAL = ("vllm", "transformers")
"""Backends with an engine in the worker's process, which takes GPUs, or else all CPU cores of a node."""
CPU, GPU = "CPU", "GPU"


def engine_resources(
    backend: str, workers: WorkersSpec, nodes: Sequence[Resources]
) -> dict[str, float]:
    """Return the CPUs and GPUs that an engine reserves on one of `nodes`.

    An engine with `tensor_parallel_size=2` takes two GPUs of one node. Without GPUs it takes all cores of the
    smallest node. A backend whose engine is elsewhere takes one core.

    Raises:
        ConfigError: the engine's processes would be Ray's.
    """
    name, settings = parse_spec(backend)
    if settings.get("distributed_executor_backend") == "ray":
        raise ConfigError(
            "distributed_executor_backend='ray' inside a Ray worker takes its GPUs twice; leave it out: an"
            " engine's processes stay on one node"
        )
    gpus = workers.gpus
    if gpus is None:
        any_gpu = any(node.get(GPU) for node in nodes)
        gpus = prod(settings.get(size, 1) for size in SIZES) if name in LOCAL and any_gpu else 0
    cpus = workers.cpus
    if cpus is None:
        smallest = min((node.get(CPU, 0) for node in nodes), default=1)
        cpus = max(1.0, smallest) if name in LOCAL and not gpus else 1.0
    return {CPU: cpus, **({GPU: float(gpus)} if gpus else {})}


def room(engine: Resources, nodes: Sequence[Resources]) -> int:
    """Return the engines that fit on `nodes` when nothing else runs there."""
    return sum(
        min(int(node.get(kind, 0) / amount + 1e-9) for kind, amount in engine.items())
        for node in nodes
    )


def engine_settings(engine: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of `open_backend` for an engine whose processes all run on the worker's node.

    vLLM would give the processes of a parallel engine to Ray, were it not told otherwise.
    """
    name, settings = parse_spec(str(engine["backend"]))
    parallel = prod(settings.get(size, 1) for size in SIZES) > 1
    if name != "vllm" or not parallel or "distributed_executor_backend" in settings:
        return dict(engine)
    return {**engine, "distributed_executor_backend": "mp"}
