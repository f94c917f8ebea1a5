"""The arguments of vLLM's engine, read from its source, since an import takes seconds."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Union

from pydantic import TypeAdapter, ValidationError

from reasoner.errors import ConfigError
from reasoner.naming import near, quoted

PLAIN = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict}
ELSEWHERE = ("temperature",)
"""Names that are no engine arguments but may be meant for `Reasoner`."""
ALIKE = 0.8
"""Similarity from which a name counts as misspelt, as `difflib` measures it."""
CLASSES = ("EngineArgs", "AsyncEngineArgs")
CHOICES = {
    "dtype": ("config/model.py", "ModelDType"),
    "quantization": ("model_executor/layers/quantization/__init__.py", "QuantizationMethods"),
    "kv_cache_dtype": ("config/cache.py", "CacheDType"),
}
"""The file and the name of the `Literal` with the values of an argument."""
POSITIVE = ("tensor_parallel_size", "data_parallel_size", "pipeline_parallel_size")


def check_engine(arguments: Mapping[str, Any], others: Iterable[str] = ()) -> None:
    """Raise for arguments that the engine does not have, or of a wrong type.

    `others` are further names to suggest. Without vLLM, no argument is known; only a name much like one of
    `others` is rejected then.

    Raises:
        ConfigError: there is no such argument, or its value has a wrong type.
    """
    known, others = _known(), [*ELSEWHERE, *others]
    for name, value in arguments.items():
        if name in known:
            _check(name, known[name], value)
        elif known or get_close_matches(name, others, n=1, cutoff=ALIKE):
            hint = near(name, [*others, *known])
            raise ConfigError(f"neither reasoner nor vLLM has a setting {quoted(name)}; {hint}")


def _check(name: str, kind: Any, value: Any) -> None:
    choices = _choices(name)
    if choices and isinstance(value, str) and value not in choices:
        raise ConfigError(f"vLLM's {name} cannot be {quoted(value)}; {near(value, choices)}")
    if name in POSITIVE and isinstance(value, int) and value < 1:
        raise ConfigError(f"vLLM's {name}={quoted(value)}: it must be at least 1")
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError as e:
        raise ConfigError(f"vLLM's {name}={quoted(value)}: {e.errors()[0]['msg']}") from e


@cache
def _known() -> dict[str, Any]:
    """Return the names and types of the engine's arguments; none without vLLM."""
    tree = _source("engine/arg_utils.py")
    return {
        field.target.id: _type(field.annotation)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name in CLASSES
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


@cache
def _choices(name: str) -> tuple[str, ...]:
    """Return the values that an argument can have; none if they are not listed."""
    if name not in CHOICES:
        return ()
    file, variable = CHOICES[name]
    for node in _source(file).body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=found)], value=ast.Subscript(slice=ast.Tuple(elts=values))
            ):
                if found == variable:
                    return tuple(str(v.value) for v in values if isinstance(v, ast.Constant))
            case _:
                continue
    return ()


def _source(file: str) -> ast.Module:
    """Parse a file of vLLM; nothing if there is none."""
    try:
        package = find_spec("vllm")
    except ValueError:  # A module of this name exists without a spec.
        package = None
    if package is None or package.origin is None:
        return ast.Module([], [])
    try:
        return ast.parse((Path(package.origin).parent / file).read_text())
    except (OSError, SyntaxError):
        return ast.Module([], [])


def _type(annotation: ast.expr) -> Any:
    """Return the type of an annotation; `Any` for vLLM's own types."""
    match annotation:
        case ast.Name(id=name) if name in PLAIN:
            return PLAIN[name]
        case ast.Constant(value=None):
            return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return Union[_type(left), _type(right)]  # noqa: UP007
        case ast.Subscript(value=ast.Name(id="list" | "dict") as container):
            return _type(container)
        case _:
            return Any
