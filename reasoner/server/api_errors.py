"""Errors as OpenAI's API sends them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from reasoner.errors import AccessDenied, BackendError, ConfigError, ReasonerError
from reasoner.files import clipped
from reasoner.printable import one_line
from reasoner.redaction import redacted

logger = logging.getLogger(__name__)

INVALID = "invalid_request_error"
ONCE = {"x-should-retry": "false"}
"""The header that keeps clients from paying for the same search again."""


class ApiError(ReasonerError):
    """A refusal or a failure, with its status code and its headers."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.param, self.code = status, kind, param, code
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """Return the body of the reply."""
        message = one_line(redacted(clipped(str(self), 600)))
        return {
            "error": {
                "message": message, "type": self.kind, "param": self.param, "code": self.code,
            }
        }  # fmt: skip


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """Return the error of a request that cannot be served as it is."""
    return ApiError(400, message, param=param, code=code)


def unsupported(param: str, instead: str) -> ApiError:
    """Return the error of a field that is not supported; it is never left out silently."""
    return invalid(f"{param} is not supported; {instead}", param, "unsupported_parameter")


def as_api_error(error: Exception, spent: bool = False) -> ApiError:
    """Return what a client is told of an error; `spent` searches are not to be repeated.

    Only the errors of this library are told: others may hold anything, and go to the log.
    """
    headers = ONCE if spent else {}
    if isinstance(error, ApiError):
        return error
    if isinstance(error, AccessDenied | BackendError):
        return ApiError(503, str(error), kind="server_error", code="model_failed", headers=headers)
    if isinstance(error, ConfigError):
        too_long = "context" in str(error) and "tokens" in str(error)
        return invalid(str(error), code="context_length_exceeded" if too_long else None)
    logger.error("a request failed", exc_info=error)
    return ApiError(500, "the server failed; its log says why", kind="server_error", headers=ONCE)
