"""Flags generated from a model of options, and the model built from what was typed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from reasoner.cli.parsing import text, whole
from reasoner.cli.places import CHECKS
from reasoner.errors import ConfigError
from reasoner.files import clipped
from reasoner.options import FlagReader, Options, PathKind

M = TypeVar("M", bound=Options)


def flag(field: str) -> str:
    """Return the name of a field as flags and files have it."""
    return field.replace("_", "-")


def add_flags(parser: argparse.ArgumentParser, model: type[Options]) -> None:
    """Add a flag, or a positional argument, for every field of `model`, and `--json`."""
    for name, field in model.model_fields.items():
        kind, metadata = _unwrapped(field.annotation, field.metadata)
        settings: dict[str, Any] = {
            "help": _help(field),
            **_placeholder(field, metadata),
            **_reading(kind, metadata),
        }
        if name not in model.positional:
            parser.add_argument(f"--{flag(name)}", required=field.is_required(), **settings)
        elif field.is_required():
            parser.add_argument(name, **settings)
        else:
            parser.add_argument(name, nargs="?", **settings)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def typed(args: argparse.Namespace, model: type[Options]) -> dict[str, Any]:
    """Return the fields of `model` that the command line names."""
    values = {name: getattr(args, name) for name in model.model_fields}
    return {name: value for name, value in values.items() if value is not None}


def build(
    model: type[M], values: Mapping[str, Any], where: Callable[[str], str] = "--{}".format
) -> M:
    """Build the options; `where` says where the value of a flag stands, for messages.

    Raises:
        ConfigError: a value is out of bounds, or names nothing.
    """
    try:
        return model.model_validate(values)
    except ValidationError as e:
        first = e.errors()[0]
        wrong = f"{clipped(repr(first['input']), 60)}: {first['msg']}"
        problem = first.get("ctx", {}).get("error") or wrong
        raise ConfigError(f"{where(flag(str(first['loc'][0])))}: {problem}") from e


def default_text(field: FieldInfo) -> str:
    """Return the default of a field as it is typed; empty for none."""
    value = field.default
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, int | float | str | Path) and value is not False else ""


def _help(field: FieldInfo) -> str:
    about, default = field.description or "", default_text(field)
    if default and "default: " not in about:
        about = f"{about} (default: {default})".lstrip()
    return about.replace("%", "%%")


def _placeholder(field: FieldInfo, metadata: Sequence[Any]) -> dict[str, Any]:
    """Return what stands for the value in help texts."""
    kinds = [each.placeholder for each in metadata if isinstance(each, PathKind)]
    shown = field.examples or kinds
    return {"metavar": shown[0] if len(shown) == 1 else tuple(shown)} if shown else {}


def _reading(kind: Any, metadata: Sequence[Any]) -> dict[str, Any]:
    """Return how argparse reads a value of this type."""
    for each in metadata:
        if isinstance(each, FlagReader):
            return {"type": each.read, "action": each.action}
        if isinstance(each, PathKind):
            return {"type": CHECKS[each.name]}
    if kind is bool:
        return {"action": "store_true", "default": None}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if get_origin(kind) is tuple:
        items = get_args(kind)
        nargs: Any = "+" if Ellipsis in items else len(items)
        return {**_reading(*_unwrapped(items[0], ())), "nargs": nargs}
    return {"type": whole(*_bounds(metadata)) if kind is int else text}


def _bounds(metadata: Sequence[Any]) -> tuple[int, int]:
    [low] = [int(str(each.ge)) for each in metadata if isinstance(each, Ge)]
    [high] = [int(str(each.le)) for each in metadata if isinstance(each, Le)]
    return low, high


def _unwrapped(annotation: Any, metadata: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Split a type into itself without `Annotated` and `None`, and what annotates it."""
    if get_origin(annotation) is Annotated:
        inner = FieldInfo.from_annotation(annotation)
        return _unwrapped(inner.annotation, [*metadata, *inner.metadata])
    if get_origin(annotation) in (Union, UnionType):
        [kind] = [each for each in get_args(annotation) if each is not NoneType]
        return _unwrapped(kind, metadata)
    return annotation, list(metadata)
