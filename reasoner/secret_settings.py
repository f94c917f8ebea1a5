"""Removal of secrets from component specs, before they are stored or shown."""

from __future__ import annotations

from typing import Any, TypeVar

from reasoner.errors import ConfigError
from reasoner.naming import format_spec, parse_spec
from reasoner.redaction import HEADERS, is_secret, redacted, reference, referring

T = TypeVar("T")
HEADER = "header-"


def hidden(value: T) -> T:
    """Return component specs, addresses or collections of these with references in place of secrets.

    This process can resolve the references: components built from the result work as before. For
    another process, `judge(api_key='env:REASONER_API_KEY')` names the variable to set.
    """
    replaced: Any = _hidden("", value)
    return value if replaced == value else replaced


def keyless(name: str) -> str:
    """Return a component spec without its secret settings, so that equal components have equal specs."""
    base, settings = parse_spec(name)
    public = {k: value for k, value in settings.items() if not (is_secret(k) or k == HEADERS)}
    return name if public == settings else format_spec(base, public)


def _hidden(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        naming = _header_name if name == HEADERS else str
        return {key: _hidden(naming(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_hidden(name, each) for each in value)
    if (
        (is_secret(name) or name.startswith(HEADER))
        and isinstance(value, str | bytes | int)
        and not isinstance(value, bool)
    ):
        return reference(name, value.decode("latin-1") if isinstance(value, bytes) else str(value))
    return _hidden_text(value) if isinstance(value, str) else value


def _header_name(key: object) -> str:
    """Return the name of a header as a setting; every header's value is secret."""
    return str(key) if is_secret(str(key)) else f"{HEADER}{key}"


def _hidden_text(text: str) -> str:
    try:
        name, settings = parse_spec(text)
    except ConfigError:  # Building the component reports the error.
        return redacted(text)
    replaced = _hidden("", settings)
    return referring(text if replaced == settings else format_spec(name, replaced))
