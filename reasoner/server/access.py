"""Access: bearer keys, foreign web pages, and the size and type of requests."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import urlsplit

from starlette.requests import Request

from reasoner.server.api_errors import ApiError, invalid
from reasoner.server.settings import ServerSettings

OPEN = "no key"
"""The name under which requests are charged where no key is needed."""


class Access:
    """Decides whether a request may be served."""

    def __init__(self, settings: ServerSettings) -> None:
        self._digests = [_digest(key) for key in settings.keys]
        self._origins, self._most = settings.origins, settings.body_bytes

    def key(self, request: Request) -> str:
        """Return the name of a request's key, which is no secret.

        Raises:
            ApiError: it has no key that is known, or comes from a foreign web page.
        """
        self._check_origin(request)
        if not self._digests:
            return OPEN
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        own = _digest(key.strip())
        # Every key is compared, so that the time tells nothing.
        known = [compare_digest(own, digest) for digest in self._digests]
        if scheme.lower() != "bearer" or not any(known):
            raise ApiError(
                401, "this server needs a key, as in `Authorization: Bearer KEY`",
                code="invalid_api_key",
            )  # fmt: skip
        return own.hex()[:12]

    async def body(self, request: Request) -> bytes:
        """Return the body of a request.

        Raises:
            ApiError: it is no JSON by its type, or too long.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(415, "the content type must be application/json")
        parts, size = list[bytes](), 0
        async for part in request.stream():
            parts.append(part)
            if (size := size + len(part)) > self._most:
                raise ApiError(413, f"the request is longer than {self._most} bytes")
        if not parts or not size:
            raise invalid("the request has no body")
        return b"".join(parts)

    def _check_origin(self, request: Request) -> None:
        """Refuse web pages of other sites: their visitors' browsers can reach what is local."""
        origin = request.headers.get("origin")
        if not origin or _allowed(origin, request.headers.get("host", ""), self._origins):
            return
        raise ApiError(403, "this server does not serve other web pages", code="origin_refused")


def _allowed(origin: str, host: str, origins: Sequence[str]) -> bool:
    try:
        own = urlsplit(origin).netloc == host
    except ValueError:  # An address that no browser sends.
        return False
    return own or origin in origins


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "replace")).digest()
