"""Escaping of text from models, servers and files, so that it is safe to store and to show."""

from __future__ import annotations

import re
from math import isfinite
from typing import Annotated, Any

import regex
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_UNSAFE = regex.compile(
    r"[[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\n\t]]",
    regex.V1,
)
"""Characters that a terminal or a browser acts on, and invisible ones; not newlines and tabs."""
_ASCII_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""The ASCII characters among these."""
_LAYOUT = str.maketrans({"\n": r"\n", "\t": r"\t"})


def printable(text: str) -> str:
    r"""Return `text` with control and invisible characters as escapes such as `\x1b`."""
    if text.isascii() and not _ASCII_UNSAFE.search(text):  # Nearly all text, many times as fast.
        return text
    return str(_UNSAFE.sub(lambda match: _escaped(match[0]), text))


def one_line(text: str) -> str:
    """Return `printable(text)` with newlines and tabs as escapes too."""
    return printable(text).translate(_LAYOUT)


def all_printable(document: Any) -> Any:
    """Return a JSON document with every text printable, and null for numbers that are not finite."""
    if isinstance(document, float) and not isfinite(document):
        return None
    if isinstance(document, str):
        return printable(document)
    if isinstance(document, dict):
        return {printable(str(key)): all_printable(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [all_printable(value) for value in document]
    return document


def storable(text: str) -> str:
    """Return `text` without surrogates, which no file can hold: pairs are decoded, lone ones become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


class _Storable:
    """Annotation that makes texts storable; those from JSON are, because no parser accepts a lone surrogate."""

    @classmethod
    def __get_pydantic_core_schema__(cls, kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = handler(kind)
        python = core_schema.no_info_before_validator_function(_storable, text)
        return core_schema.json_or_python_schema(json_schema=text, python_schema=python)


Text = Annotated[str, _Storable]
"""A text from outside, such as a model's reply; plain `str` validation refuses lone surrogates."""


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
