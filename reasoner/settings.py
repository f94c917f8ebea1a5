"""Settings, checked against the types that a component's signature gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from inspect import isclass
from typing import Any, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from reasoner.errors import ConfigError
from reasoner.naming import quoted


def check(what: str, factory: Any, settings: Mapping[str, Any]) -> None:
    """Refuse settings that are not of the types that `factory` annotates.

    Numbers and text are held to their types, as in strict JSON: `True` and `'4'` are not numbers.
    An object counts as an instance of its classes.

    Raises:
        ConfigError: a value is of another type, or out of bounds.
    """
    types = _types(factory)
    for name, value in settings.items():
        if name in types:
            _check(f"{what}: {name}", types[name], value)


def _check(what: str, kind: Any, value: Any) -> None:
    try:
        adapter = _adapter(kind)
    except PydanticUserError:  # A type that only type checkers understand.
        return
    try:
        try:
            text = json.dumps(value)
        except (TypeError, ValueError):
            adapter.validate_python(value)
        else:
            adapter.validate_json(text, strict=True)
    except ValidationError as e:
        raise ConfigError(f"{what}={quoted(value)}: {e.errors()[0]['msg']}") from e


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError as e:
        if e.code != "type-adapter-config-unused":
            raise
        return TypeAdapter(kind)


@cache
def _types(factory: Any) -> dict[str, Any]:
    """Return the annotations of the parameters that `factory` takes."""
    own = isclass(factory) and "__init__" in vars(factory) and not is_dataclass(factory)
    try:
        return get_type_hints(factory.__init__ if own else factory, include_extras=True)
    except NameError:  # An annotation that is imported for type checkers only.
        return {}
