"""JSON under a schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.errors import ConfigError
from reasoner.types import Problem
from reasoner.verifiers.schema import Schema
from tests.needs import need
from tests.verifiers.test_confidence import PROBLEM, patient, said, values

need("jsonschema")
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"name": "Ada", "age": 36}', 1.0),
        ('Here it is:\n```json\n{"name": "Ada"}\n```\nDone.', 1.0),
        ('```\n{"name": "Ada"}\n```', 1.0),
        ('```json\n{"name": 1}\n```\nNo:\n```json\n{"name": "Ada"}\n```', 1.0),
        ('```json\n{"name": "Ada"}\n```\nNo:\n```json\n{"name": 1}\n```', 0.0),
        ('{"name": "Ada", "age": -1}', 0.0),
        ('{"age": 36}', 0.0),
        ('Here it is: {"name": "Ada"}', 0.0),
        ('{"name": "Ada"', 0.0),
        ("", 0.0),
    ],
)
def test_a_person(text: str, value: float) -> None:
    assert values(Schema(PERSON), said(text)) == [value]


@patient
@given(JSON)
def test_every_json_value_is_valid_under_true_and_none_under_false(value: Any) -> None:
    text = json.dumps(value)
    assert values(Schema(True), said(text), said(f"```json\n{text}\n```")) == [1.0, 1.0]
    assert values(Schema(False), said(text)) == [0.0]


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", "1e999", "9" * 5000, "{'a': 1}"])
def test_no_text_is_an_error(text: str) -> None:
    assert values(Schema({"multipleOf": 0.1}), said(text)) == [0.0]


def test_unfinished_json_is_undecided() -> None:
    assert values(Schema(PERSON), said('{"na', complete=False)) == [0.5]


def test_the_problem_may_bring_the_schema() -> None:
    problem = Problem("p", "?", {"schema": {"type": "integer"}})
    assert values(Schema(), said("1"), said('"1"'), problem=problem) == [1.0, 0.0]
    assert values(Schema({"type": "string"}), said('"1"'), problem=problem) == [1.0]
    with pytest.raises(ConfigError, match="no schema"):
        values(Schema(), said("1"), problem=PROBLEM)


def test_nothing_is_fetched() -> None:
    verifier = Schema({"$ref": "https://example.com/schema.json"})
    with pytest.raises(ConfigError, match=r"example\.com"):
        values(verifier, said("1"))


def test_a_wrong_schema_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"at \$\.type"):
        Schema({"type": "person"})


def test_the_schema_tells_its_draft() -> None:
    """Draft 4 has `exclusiveMinimum` as a yes or no, 2020-12 as a number."""
    old = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "minimum": 3,
        "exclusiveMinimum": True,
    }
    assert values(Schema(old), said("3"), said("4")) == [0.0, 1.0]
    with pytest.raises(ValueError, match="exclusiveMinimum"):
        Schema({"minimum": 3, "exclusiveMinimum": True})
