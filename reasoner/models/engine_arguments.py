"""The arguments that vLLM's engine takes, read from its source: importing it takes seconds."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Union

from pydantic import TypeAdapter, ValidationError

from reasoner.errors import ConfigError
from reasoner.naming import near, quoted

PLAIN = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict}
ELSEWHERE = ("temperature",)
"""What is not for the engine, but may have been meant for `Reasoner`."""
CLASSES = ("EngineArgs", "AsyncEngineArgs")


def check_engine(arguments: Mapping[str, Any], others: Iterable[str] = ()) -> None:
    """Refuse arguments that the engine does not have, or of another type than it says.

    `others` are names that may have been meant. Without vLLM, nothing is known and nothing refused.

    Raises:
        ConfigError: there is no such argument, or its value is of another type.
    """
    known = _known()
    for name, value in arguments.items() if known else ():
        if name not in known:
            hint = near(name, [*ELSEWHERE, *others, *known])
            raise ConfigError(f"neither reasoner nor vLLM has a setting {quoted(name)}; {hint}")
        _check(name, known[name], value)


def _check(name: str, kind: Any, value: Any) -> None:
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError as e:
        raise ConfigError(f"vLLM's {name}={quoted(value)}: {e.errors()[0]['msg']}") from e


@cache
def _known() -> dict[str, Any]:
    """The names of the engine's arguments with their types; none without vLLM."""
    try:
        package = find_spec("vllm")
    except ValueError:  # A module of that name is there that was not found by a search.
        package = None
    if package is None or package.origin is None:
        return {}
    source = Path(package.origin).parent / "engine" / "arg_utils.py"
    try:
        tree = ast.parse(source.read_text())
    except (OSError, SyntaxError):
        return {}
    return {
        field.target.id: _type(field.annotation)
        for found in tree.body
        if isinstance(found, ast.ClassDef) and found.name in CLASSES
        for field in found.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def _type(annotation: ast.expr) -> Any:
    """The type that an annotation says; anything, where it is one of vLLM's own."""
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
