"""The page at `/`, which shows searches while they run. It loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
FILES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}
SAFETY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
"""Headers under which no text of a model can run, and no other page can show this one."""


async def index(_: Request) -> Response:
    """Return the page."""
    return _file("index.html")


async def static(request: Request) -> Response:
    """Return a file that the page needs."""
    name: str = request.path_params["name"]
    return _file(name) if name in FILES else Response(status_code=404)


def _file(name: str) -> Response:
    return Response((FOLDER / name).read_bytes(), media_type=FILES[name], headers=SAFETY)
