"""Schema: a JSON schema as a verifier."""

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
    """Score 1 for a finished solution whose JSON is valid under a JSON schema.

    The schema is the setting or, without it, `problem.meta["schema"]`; its `$schema` names the draft,
    by default 2020-12. The JSON is the last fenced block of the solution or, without one, the whole
    text. Nothing is fetched: a `$ref` must point into the schema itself.
    """

    schema: dict[str, Any] | bool | None = None

    def __post_init__(self) -> None:
        """Reject an invalid schema before any compute is spent."""
        if self.schema is not None:
            validator(json.dumps(self.schema))

    def check_problem(self, problem: Problem) -> None:
        """Refuse a problem without a schema where none is set, and a wrong schema."""
        self._validator(problem)

    def holds(self, problem: Problem, solution: str) -> bool:
        """Return True if the solution's JSON parses and is valid."""
        from referencing.exceptions import Unresolvable

        check = self._validator(problem)
        try:
            return bool(check.is_valid(document(solution)))
        except (ValueError, RecursionError, OverflowError):  # Not JSON, or too deep or too large.
            return False
        except Unresolvable as e:
            raise ConfigError(
                f"verifier 'schema': {e}; put the referenced schema under $defs"
            ) from e

    def _validator(self, problem: Problem) -> Any:
        return validator(
            json.dumps(_problem_schema(problem) if self.schema is None else self.schema)
        )


def _problem_schema(problem: Problem) -> dict[str, Any] | bool:
    if "schema" not in problem.meta:
        raise ConfigError(
            f"verifier 'schema' has no schema, and the meta of problem {problem.id!r} has none;"
            " give one, such as schema(schema={'type': 'object'})"
        )
    schema: dict[str, Any] | bool = problem.meta["schema"]
    return schema


def document(solution: str) -> Any:
    """Parse the JSON value in a solution.

    Raises:
        ValueError: there is none.
    """
    blocks = BLOCK.findall(solution)
    return json.loads(blocks[-1] if blocks else solution, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


@lru_cache
def validator(schema: str) -> Any:
    """Return the validator for a schema in JSON text.

    Raises:
        ConfigError: it is not a JSON schema, or the package is missing.
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
        raise ConfigError(f"not a JSON schema: at {e.json_path}, {e.message}") from e
    return draft(loaded, registry=REGISTRY)
