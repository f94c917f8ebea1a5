"""The description of the API in OpenAPI's form."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from reasoner.server.request_models import (
    ChatRequest,
    CompletionRequest,
    ResponseRequest,
    TokenizeRequest,
)

BODIES: dict[str, type[BaseModel]] = {
    "/v1/chat/completions": ChatRequest,
    "/v1/completions": CompletionRequest,
    "/v1/responses": ResponseRequest,
    "/tokenize": TokenizeRequest,
}
"""The request of each endpoint that takes one."""
READ = ("/v1/models", "/v1/models/{name}", "/tokenizer_info", "/health", "/metrics")
PLACE = "#/components/schemas/{model}"
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


def description(version: str) -> dict[str, Any]:
    """Return the whole description."""
    kinds = list(BODIES.values())
    _, schemas = models_json_schema([(k, "validation") for k in kinds], ref_template=PLACE)
    paths = {path: {"get": _operation(path)} for path in READ}
    paths |= {path: {"post": _operation(path, kind)} for path, kind in BODIES.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "reasoner", "version": version},
        "paths": paths,
        "components": {
            "schemas": {**schemas["$defs"], "Error": ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(path: str, body: type[BaseModel] | None = None) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": PLACE.format(model="Error")}}}
    failures = {
        code: {"description": "refused or failed", "content": error} for code in ("4XX", "5XX")
    }
    operation: dict[str, Any] = {
        "responses": {"200": {"description": "the reply"}, **failures},
        "security": [{}, {"key": []}],
    }
    if "{name}" in path:
        name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
        operation["parameters"] = [name]
    if body:
        schema = {"$ref": PLACE.format(model=body.__name__)}
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation
