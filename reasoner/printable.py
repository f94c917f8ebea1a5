"""Text of models, servers and files, made safe to store and to show."""

from __future__ import annotations

import re
from math import isfinite
from typing import Annotated, Any

import regex
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_ACTING = regex.compile(
    r"[[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\n\t]]",
    regex.V1,
)
"""Characters that a terminal or a browser acts on, or that nobody sees; not the ends of lines and tabs."""
_ASCII_ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""The ASCII characters among these."""
_LAYOUT = str.maketrans({"\n": r"\n", "\t": r"\t"})


def printable(text: str) -> str:
    r"""Write every character of `text` that does something, or shows nothing, as an escape such as `\x1b`."""
    if text.isascii() and not _ASCII_ACTING.search(text):  # Nearly all text, many times as fast.
        return text
    return str(_ACTING.sub(lambda found: _escaped(found[0]), text))


def one_line(text: str) -> str:
    """Return `printable(text)` with the ends of lines and tabs as escapes, too."""
    return printable(text).translate(_LAYOUT)


def all_printable(document: Any) -> Any:
    """Return a document of plain JSON values with every text printable, and null for infinite numbers."""
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
    """Return `text` with lone surrogates, which no file can hold, as U+FFFD, and pairs as what they encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _stored(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


class _Storable:
    """Makes a field's texts storable; those of JSON are already, since no parser lets a lone surrogate pass."""

    @classmethod
    def __get_pydantic_core_schema__(cls, kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = handler(kind)
        python = core_schema.no_info_before_validator_function(_stored, text)
        return core_schema.json_or_python_schema(json_schema=text, python_schema=python)


Text = Annotated[str, _Storable]
"""A text from outside, such as a model's reply; validation alone refuses lone surrogates."""


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
