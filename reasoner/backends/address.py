"""Server addresses, checked before any request is sent."""

from __future__ import annotations

import os
import re

import httpx

from reasoner.errors import ConfigError
from reasoner.naming import quoted

LOCAL = "http://127.0.0.1:8000/v1"
HOST = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9][A-Za-z0-9._-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def default_address() -> str:
    """Return the address in the environment variable OPENAI_BASE_URL, or that of a server on this machine."""
    return os.environ.get("OPENAI_BASE_URL", "").strip() or LOCAL


def address(url: str) -> str:
    """Check `url` and return it without a trailing slash.

    Raises:
        ConfigError: it is not an http:// or https:// address of a host, or has more than a path.
    """
    if problem := _problem(url):
        public = re.sub(r"//[^/]*@", "//***@", url)
        raise ConfigError(
            f"base_url {quoted(public)} {problem}; give one such as http://127.0.0.1:8000/v1"
        )
    return url.rstrip("/")


def _problem(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        return "is not an http:// or https:// address"
    if not url.isprintable() or " " in url:
        return "has a space or an unprintable character"
    try:
        return _wrong_part(httpx.URL(url))
    except (httpx.InvalidURL, UnicodeError):
        return "is not a valid address"


def _wrong_part(parts: httpx.URL) -> str:
    if not parts.host or not HOST.fullmatch(parts.raw_host.decode("ascii")):
        return "names no host"
    if parts.port is not None and not 0 < parts.port < 2**16:
        return f"has no port from 1 to {2**16 - 1}"
    if parts.query or parts.fragment:
        return "has more than a path after the host"
    return ""
