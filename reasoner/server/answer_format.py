"""The format that a request asks answers to have: JSON, of any kind or of a schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from reasoner.errors import ConfigError
from reasoner.verifiers.schema import document, validator

LONGEST, DEEPEST, LARGEST = 20_000, 30, 1000
"""The most characters of a schema, levels of it, and repetitions that it may demand."""
COUNTS = frozenset(
    f"{end}{what}"
    for end in ("min", "max")
    for what in ("Items", "Length", "Properties", "Contains")
)
PATTERNS = frozenset(("pattern", "patternProperties"))
"""Keywords with regular expressions, which a hostile one can keep busy for ever."""
OBJECT: dict[str, Any] = {"type": "object"}


def _checked(schema: dict[str, Any]) -> dict[str, Any]:
    """Refuse a schema that is none, or that costs an engine more than an answer."""
    if len(json.dumps(schema)) > LONGEST:
        raise ValueError(f"has more than {LONGEST} characters")
    for keyword, value in _keywords(schema, 0):
        if keyword in PATTERNS:
            raise ValueError(f"has {keyword!r}, which is not supported here; use 'enum'")
        if keyword in COUNTS and isinstance(value, int | float) and value > LARGEST:
            raise ValueError(f"has {keyword!r} above {LARGEST}")
    try:
        validator(json.dumps(schema))
    except ConfigError as e:
        raise ValueError(str(e)) from e
    return schema


def _keywords(schema: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield every key of a schema and its parts, with its value."""
    if depth > DEEPEST:
        raise ValueError(f"has more than {DEEPEST} levels")
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield str(key), value
            yield from _keywords(value, depth + 1)
    elif isinstance(schema, list):
        for part in schema:
            yield from _keywords(part, depth + 1)


Format = Literal["text", "json_object", "json_schema"]
JsonSchema = Annotated[dict[str, Any], AfterValidator(_checked)]


class NamedSchema(BaseModel, extra="ignore"):
    """A schema with a name, which is ignored."""

    of: JsonSchema = Field(alias="schema")


class ChatFormat(BaseModel, extra="ignore"):
    """The field `response_format` of a chat."""

    type: Format = "text"
    json_schema: NamedSchema | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("of type 'json_schema' needs the field 'json_schema'")
        return self

    @property
    def schema_text(self) -> str:
        """The schema as JSON text; empty where any text will do."""
        return _as_text(self.type, self.json_schema)


class TextFormat(BaseModel, extra="ignore"):
    """The field `text.format` of the Responses API."""

    type: Format = "text"
    of: JsonSchema | None = Field(None, alias="schema")

    @model_validator(mode="after")
    def _described(self) -> Self:
        if self.type == "json_schema" and self.of is None:
            raise ValueError("of type 'json_schema' needs the field 'schema'")
        return self

    @property
    def schema_text(self) -> str:
        """The schema as JSON text; empty where any text will do."""
        return _as_text(self.type, self)


def _as_text(kind: Format, schema: NamedSchema | TextFormat | None) -> str:
    if kind == "text":
        return ""
    return json.dumps(schema.of if kind == "json_schema" and schema else OBJECT)


def document_in(solution: str) -> str | None:
    """Return the JSON document of a solution, in one spelling; None where there is none."""
    try:
        return json.dumps(document(solution), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
