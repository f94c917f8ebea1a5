"""Component specs: a name with settings, such as `beam(branch=2)`, and lists of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from math import isfinite
from reprlib import Repr
from typing import Any

from reasoner.errors import ConfigError
from reasoner.redaction import redacted
from reasoner.syntax import parse_expression

LONGEST = 20_000
"""The most characters of a spec; a prompt for a judge may be among its settings."""
LARGEST = 2**63 - 1
"""The largest whole number that databases, engines and random generators all accept."""

_short = Repr()
_short.maxstring = _short.maxother = 60


def parse_spec(text: str) -> tuple[str, dict[str, Any]]:
    """Split a spec such as `beam(branch=2)` into its name and its settings.

    Raises:
        ConfigError: the brackets hold something other than settings.
    """
    name, bracket, rest = text.partition("(")
    if not bracket:
        return name, {}
    try:
        return name, _settings(rest)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConfigError(
            f"{quoted(text)} is not a name with settings, such as {name[:40]}(key=2, other='text')"
        ) from None


def format_spec(text: str, settings: Mapping[str, Any]) -> str:
    """Return the spec `text` with further `settings`, which replace those of the same name."""
    name, own = parse_spec(text)
    listed = ", ".join(f"{key}={value!r}" for key, value in {**own, **settings}.items())
    return f"{name}({listed})" if listed else name


def split_specs(text: str) -> list[str]:
    """Split a list of specs such as `beam(branch=2, n=8),mcts` at its commas, not those in brackets."""
    parts = re.findall(r"(?:[^,(]|\([^)]*\)?)+", text)
    return [part.strip() for part in parts if part.strip()]


def base_names(text: str) -> str:
    """Return `text` with the last part alone of each path in it; `owner/name` and URLs stay whole."""
    return re.sub(r"[^\s'\"(),=]+", lambda word: _base_name(word[0]), text)


def _base_name(word: str) -> str:
    path = word.startswith(("/", "~", ".")) or word.count("/") > 1
    return word.rstrip("/").rpartition("/")[2] if path and "://" not in word else word


def near(name: str, known: Iterable[str]) -> str:
    """Return advice for an unknown `name`: the closest of the `known` names, or else all of them."""
    names = list(known)
    alike = get_close_matches(name[:100], names, n=3)
    return f"did you mean {', '.join(alike)}?" if alike else f"known: {', '.join(names) or 'none'}"


def quoted(value: object) -> str:
    """Return the `repr` of a value for a message, without secrets, and without its middle if it is long."""
    return _short.repr(redacted(value) if isinstance(value, str) else value)


def _settings(text: str) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise ValueError("too long")
    source = f"_({text.rstrip()}"
    call = parse_expression(source)
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise ValueError("no settings")
    if ast.get_source_segment(source, call) != source:
        raise ValueError("something after the brackets")
    settings = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords if k.arg}
    if len(settings) != len(call.keywords) or not _plain(settings):
        raise ValueError("a setting twice, or one that is no plain value")
    return settings


def _plain(value: Any) -> bool:
    """Return True for text, numbers within `LARGEST`, and collections of them."""
    match value:
        case None | bool() | str():
            return True
        case int():
            return abs(value) <= LARGEST
        case float():
            return isfinite(value)
        case list() | tuple() | set():
            return all(map(_plain, value))
        case dict():
            return all(map(_plain, value)) and all(map(_plain, value.values()))
        case _:
            return False
