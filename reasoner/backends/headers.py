"""Headers of requests and replies, checked."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from secrets import token_bytes

from reasoner.errors import ConfigError
from reasoner.naming import quoted
from reasoner.redaction import used
from reasoner.types import Problem

TOKEN = re.compile(r"[A-Za-z0-9-]{1,100}")
OWN_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding"}
)
"""Headers of the client, on which reading the reply relies."""


SESSION = "X-Session-ID"
"""The header by which routers send all requests of a problem to one engine, for its prefix cache."""


class Sessions:
    """Session names of problems: equal for all calls of a problem in this run, and without its name."""

    def __init__(self) -> None:
        self._salt = token_bytes(16)

    def header(self, problem: Problem) -> dict[str, str]:
        """Return the header for a call of a problem."""
        name = blake2b(problem.id.encode(), digest_size=16, key=self._salt).hexdigest()
        return {SESSION: name}


def chosen_key(key: str | None, variable: str | None) -> str | None:
    """Return `key`, or that in the environment variable `variable` if one is named; None without both.

    Raises:
        ConfigError: both are given, or the variable is not set.
    """
    if variable is None:
        return key
    if key is not None:
        raise ConfigError("api_key and api_key_env name two keys; give one of them")
    if not (secret := os.environ.get(variable, "").strip()):
        raise ConfigError(
            f"environment variable {quoted(variable)} (api_key_env) is not set; export the key there"
        )
    return used(secret)


def further_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of the user, whose values every message masks.

    Raises:
        ConfigError: one is no header, or is set by the client itself.
    """
    for name, value in headers.items():
        if not TOKEN.fullmatch(name) or name.lower() in OWN_HEADERS:
            raise ConfigError(
                f"headers: {quoted(name)} is no name of a further header; give letters, digits and"
                f" hyphens, and none of {', '.join(sorted(OWN_HEADERS))}"
            )
        if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
            raise ConfigError(f"headers: the value of {name} is not printable ASCII")
    return {name: used(value.strip()) for name, value in headers.items()}


def checked_text(setting: str, value: object) -> str:
    """Return the value of a setting, or raise `ConfigError` if it is not a string."""
    if not isinstance(value, str):
        raise ConfigError(f"{setting} is not a string")
    return value


def header_value(key: str) -> str:
    """Return the key, or raise `ConfigError` if no header can hold it."""
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("the api_key has characters other than printable ASCII")
    return key


def retry_after(value: str) -> float:
    """Return the seconds in a `Retry-After` header, a number or a date; 0 if it is neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return max(0.0, seconds)  # NaN becomes 0.
