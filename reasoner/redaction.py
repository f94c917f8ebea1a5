"""Masking of secrets in messages, and reading of those that a setting refers to by environment variable."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

MASK = "***"
HEADERS = "headers"
"""The setting whose values, the headers of requests, are all secret."""
REFERENCE = "env:"
"""Prefix of a reference to an environment variable that holds a secret: `api_key='env:MY_KEY'`, `http://env:MY_LOGIN@host/v1`."""
SHORTEST = 6
"""Shortest secret that is masked everywhere, in characters: a shorter one is part of too many words."""

_NAMES = (
    r"(?:[\w-]*[_-])?(?:api[_-]?key|access[_-]?key|private[_-]?key|token|secret|passw(?:or)?d"
    r"|passphrase|authorization|credentials?)"
)
"""Names of settings, headers and parameters that hold a secret; `max_tokens` is not one."""
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_LOGIN = re.compile(r"""(?<=://)[^/?#\s'"]+(?=@)""")
_PARAMETER = re.compile(
    rf"""(?<=[?&])({_NAMES}|key|sig|signature|auth|code)=([^&#\s'"]+)""", re.IGNORECASE
)

_SHOWN_LOGIN = re.compile(r"env:\w+@|\*\*\*@", re.IGNORECASE)


def _without_login(address: re.Match[str]) -> str:
    """Return an address without its login, even if it is misspelled: all up to its last @.

    A function of the whole address, since a pattern of the login alone would read the rest anew at each `://`.
    """
    text, start = address[0], len("://")
    while _SHOWN_LOGIN.match(text, start) and (another := text.find("://", start)) >= 0:
        start = another + len("://")
    end = text.rfind("@", start + 1)
    if end < 0 or _SHOWN_LOGIN.match(text, start):
        return text
    return text[:start] + MASK + text[end:]


_QUOTED = r"""\\+(?P<q>['"]).*?\\(?P=q)|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|['"].*"""
_BARE = r"""[^\s,;&)'"\]}]+"""
_MASKED = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), mask)
    for pattern, mask in (
        # The value of a setting, a header, a field of JSON or a flag.
        (
            rf"""(?<![\w-])({_NAMES}\\*["']?\s*[=:]\s*)(?!\\*["']env:\w)(?:{_QUOTED})""",
            rf"\1{MASK}",
        ),
        (rf"(?<![\w-])({_NAMES}\s*=\s*)(?!env:\w|\*\*\*|None\b){_BARE}", rf"\1{MASK}"),
        (rf"(?<![\w-])(--{_NAMES}\s+)(?!-)\S+", rf"\1{MASK}"),
        (rf"""({HEADERS}["']?\s*[=:]\s*)\{{(?![^}}]*env:\w)[^}}]*(?:\}}|$)""", rf"\1{MASK}"),
        (r"\b(authorization\s*:\s*)(?!\*\*\*)(?:(?:bearer|basic)\s+)?\S+", rf"\1{MASK}"),
        (r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", rf"\1 {MASK}"),
        (r"""://([^\s'"]+)""", _without_login),
        (rf"{_PARAMETER.pattern}", rf"\1={MASK}"),
        # Keys with a known form.
        (r"\b(?:sk|pk|rk)-[\w-]{16,}|\bhf_\w{20,}|\bgh[a-z]_\w{20,}", MASK),
    )
]
_secrets = set[str]()
_references = dict[str, str]()
"""Secrets that `reference` replaced, by environment variable."""


def redacted(text: str) -> str:
    """Return `text` with every secret masked: those used by this process, and what looks like one."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern, mask in _MASKED:
        text = pattern.sub(mask, text)
    return text


def is_secret(name: str) -> bool:
    """Return True if the setting `name` holds a secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def used(secret: str) -> str:
    """Register `secret`, so that every message masks it, and return it."""
    if len(secret) >= SHORTEST:
        _secrets.add(secret)
    return secret


def reference(name: str, secret: str) -> str:
    """Return a reference that stands for `secret`, the setting `name`; this process can resolve it.

    Its environment variable depends on `name` alone, with a number if there are several secrets.
    """
    if not secret or secret.startswith(REFERENCE):
        return secret
    base = f"REASONER_{re.sub('[^A-Z0-9]', '_', name.upper())}"
    variable, number = base, 1
    while _references.get(variable, secret) != secret:
        number += 1
        variable = f"{base}_{number}"
    _references[variable] = used(secret)
    return REFERENCE + variable


def referring(address: str) -> str:
    """Return an address with references in place of its login and key-like parameters."""
    return _address(address, reference)


def revealed(name: str, value: Any) -> Any:
    """Return the value of the setting `name` with its references resolved.

    Raises:
        LookupError: an environment variable is not set.
    """
    if isinstance(value, Mapping):
        return {
            key: revealed("authorization" if name == HEADERS else str(key), each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(revealed(name, each) for each in value)
    if not isinstance(value, str):
        return value
    return _read(name, value) if is_secret(name) else _address(value, _read)


def server_key(key: str | None) -> str:
    """Return `key`, or if it is None that of the environment (`OPENAI_API_KEY`); empty without one."""
    return used((os.environ.get("OPENAI_API_KEY", "") if key is None else key).strip())


def without_login(address: str) -> tuple[str, tuple[str, str] | None]:
    """Split an address into the address without its login, and the login (user, password)."""
    if not (match := _LOGIN.search(address)):
        return address, None
    name, _, password = match[0].partition(":")
    plain = address[: match.start()] + address[match.end() + 1 :]
    return plain, (unquote(name), used(unquote(password)))


def _address(text: str, replace: Callable[[str, str], str]) -> str:
    text = _LOGIN.sub(lambda match: replace("login", match[0]), text)
    return _PARAMETER.sub(lambda match: f"{match[1]}={replace(match[1], match[2])}", text)


def _read(_: str, value: str) -> str:
    if not value.startswith(REFERENCE):
        return used(value)
    variable = value.removeprefix(REFERENCE)
    if not (secret := _references.get(variable) or os.environ.get(variable)):
        raise LookupError(f"environment variable {variable} is not set; it holds a secret")
    return used(secret)
