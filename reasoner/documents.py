"""Parsing of untrusted JSON and YAML, within bounds, into values that can be stored."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from reasoner.errors import ReasonerError
from reasoner.files import clipped, read_bytes
from reasoner.printable import storable

M = TypeVar("M")

VALUES = 1_500_000
"""Largest number of values in a document: each takes some hundred bytes of memory."""
YAML_BYTES = 64 * 2**10
"""Largest size of a YAML file, in bytes: its parser reads less than a megabyte a second."""
YAML_DEPTH = 16
BOM = b"\xef\xbb\xbf"
ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F])[0-9a-fA-F]{2}|\\."
)
"""An escape in JSON: a pair of surrogates, a lone one (the group), or another."""


class Malformed(ReasonerError, ValueError):
    """A document is malformed; the message is a short reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(clipped(reason))


def parse_json(blob: bytes) -> Any:
    """Parse a JSON text.

    Lone surrogates become U+FFFD. Bounds: a depth of about 200, 4300 digits a number, and `VALUES`.

    Raises:
        Malformed: the text is not JSON, exceeds a bound, repeats a field, or has a number that is not finite.
    """
    text = _prepared(blob)
    try:
        from_json(text, allow_inf_nan=False)
        return json.loads(text, object_pairs_hook=_unique, parse_float=_finite)
    except ValueError as e:
        raise Malformed(str(e)) from e


def parse_model(kind: type[M] | TypeAdapter[M], blob: bytes | str) -> M:
    """Parse a JSON text as a `kind`, within the bounds of `parse_json`; the last of repeated fields counts.

    Raises:
        Malformed: the text is not a `kind`.
    """
    any_kind: Any = kind  # TypeAdapter does not take type[M] as it is.
    adapter: TypeAdapter[M] = any_kind if isinstance(any_kind, TypeAdapter) else _adapter(any_kind)
    try:
        encoded = blob.encode() if isinstance(blob, str) else blob
        return adapter.validate_json(_prepared(encoded))
    except UnicodeEncodeError as e:
        raise Malformed("it has a lone surrogate") from e
    except ValidationError as e:
        raise Malformed(reason(e)) from e


def reason(error: ValidationError) -> str:
    """Return the first error of a validation, with its place."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def read_json(path: Path, hint: str = "") -> Any:
    """Read a JSON file.

    Raises:
        StoreError: the file cannot be read.
        Malformed: it is not JSON within bounds.
    """
    return parse_json(read_bytes(path, hint=hint))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _prepared(blob: bytes) -> bytes:
    """Return UTF-8 without byte-order mark and lone surrogates; refuse too many values."""
    if blob.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Malformed("it is UTF-16; save it as UTF-8")
    if len(blob) > VALUES and sum(map(blob.count, (b",", b"[", b"{"))) > VALUES:
        raise Malformed(f"it has more than {VALUES:,} values; split it")
    text = blob.removeprefix(BOM)
    return ESCAPE.sub(_paired, text) if b"\\ud" in text or b"\\uD" in text else text


def _paired(escape: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if escape[1] else escape[0]


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in fields if names.count(name) > 1)
        raise ValueError(f"field {repeated[:40]!r} is repeated in one object")
    return fields


def _finite(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError(f"number {text[:20]} is out of range")
    return number


# -- YAML ---------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Loads plain values within bounds; refuses aliases and repeated fields."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not supported; write the value out")
        self.depth += 1
        if self.depth > YAML_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {YAML_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        fields = super().construct_mapping(node, deep=deep)
        if len(fields) < len(node.value):
            raise yaml.YAMLError("a field is repeated")
        return fields

    def construct_yaml_int(self, node: Any) -> int:
        number = int(super().construct_yaml_int(node))
        if abs(number) >= 2**63:
            raise yaml.YAMLError("a number is out of range")
        return number

    def construct_yaml_str(self, node: Any) -> str:
        return storable(super().construct_yaml_str(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_yaml_str)


def read_yaml(path: Path) -> Any:
    """Read a YAML file of plain values, at most `YAML_DEPTH` deep, without aliases.

    Raises:
        StoreError: the file cannot be read.
        Malformed: it is not such YAML.
    """
    blob = read_bytes(path, YAML_BYTES)
    try:
        return yaml.load(blob.decode("utf-8-sig"), Loader=_Loader)
    except UnicodeDecodeError as e:
        raise Malformed(f"it is not UTF-8 (byte {e.start}); save it as UTF-8") from e
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as e:
        raise Malformed(str(e)) from e
