"""Secrets are masked in every message, and read from the environment where a setting names a variable."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

MASK = "***"
REFERENCE = "env:"
"""Begins a secret that an environment variable holds: `api_key='env:MY_KEY'`, `http://env:MY_LOGIN@host/v1`."""
SHORTEST = 6
"""Characters of a secret that is masked wherever it stands: a shorter one is part of too many words."""

_NAMES = (
    r"(?:[\w-]*[_-])?(?:api[_-]?key|access[_-]?key|private[_-]?key|token|secret|passw(?:or)?d"
    r"|passphrase|authorization|credentials?)"
)
"""Settings, headers and parameters that hold a secret; `max_tokens` is none of them."""
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_LOGIN = re.compile(r"""(?<=://)[^/?#\s'"]+(?=@)""")
_PARAMETER = re.compile(
    rf"""(?<=[?&])({_NAMES}|key|sig|signature|auth|code)=([^&#\s'"]+)""", re.IGNORECASE
)

_QUOTED = r"""\\+(?P<q>['"]).*?\\+(?P=q)|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|['"].*"""
_BARE = r"""[^\s,;&)'"\]}]+"""
_MASKED = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), mask)
    for pattern, mask in (
        # The value of a setting, a header, a field of JSON or a flag.
        (rf"""(?<![\w-])({_NAMES}["']?\s*[=:]\s*)(?!\\*["']env:\w)(?:{_QUOTED})""", rf"\1{MASK}"),
        (rf"(?<![\w-])({_NAMES}\s*=\s*)(?!env:\w|\*\*\*|None\b){_BARE}", rf"\1{MASK}"),
        (rf"(--{_NAMES}\s+)(?!-)\S+", rf"\1{MASK}"),
        (r"\b(authorization\s*:\s*)(?!\*\*\*)(?:(?:bearer|basic)\s+)?\S+", rf"\1{MASK}"),
        (r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", rf"\1 {MASK}"),
        # Whoever an address logs in, even where it is misspelled.
        (r"""(?<=://)(?!env:\w+@|\*\*\*@)[^\s'"]+(?=@)""", MASK),
        (rf"{_PARAMETER.pattern}", rf"\1={MASK}"),
        # Keys that are known by their form.
        (r"\b(?:sk|pk|rk)-[\w-]{16,}|\bhf_\w{20,}|\bgh[a-z]_\w{20,}", MASK),
    )
]
_used = set[str]()
_replaced = dict[str, str]()
"""What `reference` took out of settings, by the environment variable that stands for it."""


def redacted(text: str) -> str:
    """`text` with a mask over every secret: those used by this process, and what looks like one."""
    for secret in sorted(_used, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern, mask in _MASKED:
        text = pattern.sub(mask, text)
    return text


def is_secret(name: str) -> bool:
    """Tell whether the setting `name` holds a secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def used(secret: str) -> str:
    """Return `secret`, which every message masks from now on."""
    if len(secret) >= SHORTEST:
        _used.add(secret)
    return secret


def reference(name: str, secret: str) -> str:
    """Replace the setting `name` by a reference from which this process reads `secret`.

    The environment variable that it names does not depend on the secret, unless there are several.
    """
    if not secret or secret.startswith(REFERENCE):
        return secret
    base = f"REASONER_{re.sub('[^A-Z0-9]', '_', name.upper())}"
    variable, number = base, 1
    while _replaced.get(variable, secret) != secret:
        number += 1
        variable = f"{base}_{number}"
    _replaced[variable] = used(secret)
    return REFERENCE + variable


def referring(address: str) -> str:
    """Replace the user and the key-like parameters of an address by references."""
    return _address(address, reference)


def revealed(name: str, value: Any) -> Any:
    """Return the value of the setting `name`, with what its references stand for.

    Raises:
        LookupError: an environment variable is not set.
    """
    if isinstance(value, Mapping):
        return {key: revealed(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(revealed(name, each) for each in value)
    if not isinstance(value, str):
        return value
    return _read(name, value) if is_secret(name) else _address(value, _read)


def server_key(given: str | None) -> str:
    """Return the key `given`, or else that of the environment (`OPENAI_API_KEY`); empty for none."""
    return used((os.environ.get("OPENAI_API_KEY", "") if given is None else given).strip())


def without_login(address: str) -> tuple[str, tuple[str, str] | None]:
    """Split an address into itself without user and password, and these."""
    if not (found := _LOGIN.search(address)):
        return address, None
    name, _, password = found[0].partition(":")
    plain = address[: found.start()] + address[found.end() + 1 :]
    return plain, (unquote(name), used(unquote(password)))


def _address(text: str, replace: Callable[[str, str], str]) -> str:
    text = _LOGIN.sub(lambda found: replace("login", found[0]), text)
    return _PARAMETER.sub(lambda found: f"{found[1]}={replace(found[1], found[2])}", text)


def _read(_: str, value: str) -> str:
    if not value.startswith(REFERENCE):
        return used(value)
    variable = value.removeprefix(REFERENCE)
    if not (secret := _replaced.get(variable) or os.environ.get(variable)):
        raise LookupError(f"environment variable {variable} is not set; it holds a secret")
    return used(secret)
