"""What answers of the admin listener look like."""

from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    # Scripts, styles and requests of our own only: nothing inline, nothing from elsewhere, nobody's frame.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "tidegate",  # the library would tell its own version and Python's
}


class Problem(Exception):
    """Ends a page with a problem document. Parameters as of `problem`; headers: further ones of the answer."""

    def __init__(
        self, status: int, title: str, detail: str, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.parts = (status, title, detail, reason)
        self.headers = headers or {}


def problem(status: int, title: str, detail: str, reason: str) -> web.Response:
    """Write an error as RFC 9457 has it."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "reason": reason}
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/problem+json")


def json(value: object, status: int = 200) -> web.Response:
    """Write a value as JSON with a final newline."""
    return web.Response(body=encoded(value), status=status, content_type="application/json")


def encoded(value: object) -> bytes:
    """Return a value as JSON with a final newline; what JSON does not know is written as text."""
    return orjson.dumps(value, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
