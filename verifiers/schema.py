"""A JSON schema as a verifier."""

import json
import re
from functools import lru_cache
from typing import Any

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.types import Problem
from reasoner.verifiers.common.rules import RuleVerifier

BLOCK = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Schema(RuleVerifier):
    """1 for a finished solution whose JSON is valid under a JSON schema.

    The schema is the setting or, without it, `problem.meta["schema"]`; its `$schema` tells the draft,
    2020-12 where it has none. The JSON is the last fenced block of the solution or, without one, all
    of it. Nothing is fetched: a `$ref` must point into the schema itself.
    """

    schema: dict[str, Any] | bool | None = None

    def __post_init__(self) -> None:
        """Refuse a wrong schema before anything is spent."""
        if self.schema is not None:
            validator(json.dumps(self.schema))

    def holds(self, problem: Problem, solution: str) -> bool:
        """Whether the solution's JSON can be read and is valid."""
        from referencing.exceptions import Unresolvable

        check = validator(json.dumps(_posed(problem) if self.schema is None else self.schema))
        try:
            return bool(check.is_valid(document(solution)))
        except (ValueError, RecursionError, OverflowError):  # No JSON, or too deep or large a one.
            return False
        except Unresolvable as e:
            raise ConfigError(f"verifier 'schema': {e}; put what it refers to under $defs") from e


def _posed(problem: Problem) -> dict[str, Any] | bool:
    if "schema" not in problem.meta:
        raise ConfigError(
            f"verifier 'schema' has no schema, and problem {problem.id!r} brings none in its meta;"
            " give one, such as schema(schema={'type': 'object'})"
        )
    posed: dict[str, Any] | bool = problem.meta["schema"]
    return posed


def document(solution: str) -> Any:
    """The JSON value that a solution states.

    Raises:
        ValueError: it states none.
    """
    blocks = BLOCK.findall(solution)
    return json.loads(blocks[-1] if blocks else solution, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


@lru_cache
def validator(schema: str) -> Any:
    """The validator for a schema, given as JSON text.

    Raises:
        ConfigError: it is no JSON schema, or the package is missing.
    """
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for
        from jsonschema_specifications import REGISTRY
    except ImportError:
        raise ConfigError(
            "verifier 'schema' needs the package jsonschema: pip install jsonschema"
        ) from None
    loaded = json.loads(schema)
    draft = validator_for(loaded, default=Draft202012Validator)
    try:
        draft.check_schema(loaded)
    except SchemaError as e:
        raise ConfigError(f"no JSON schema: at {e.json_path}, {e.message}") from e
    return draft(loaded, registry=REGISTRY)
