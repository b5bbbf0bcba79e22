"""The built-in mock provider: what `/mock` reaches, so that a newcomer needs no secret and no network.

It shows what a provider sees, the injected credential included: its secrets are made up.
"""

import asyncio
import base64
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

import orjson
from aiohttp import web

_SHOWN_BYTES: Final = 64 * 1024  # of a request body; the rest is counted only
_PIECE: Final = bytes(64 * 1024)
_MAX_BYTES: Final = 4 * 1024**3
_MAX_KEYS: Final = 1000

ROUTES: Final = {
    "/anything": "shows the request as it arrived",
    "/status/{code}": "answers with that status, 200 to 599; ?retry_after=SECONDS adds Retry-After",
    "/delay/{seconds}": "answers after that time, at most 60",
    "/sse/{n}": "sends n server-sent events, at most 10000; ?interval=SECONDS between them, 0.1 unless given",
    "/fail-first/{n}": "answers 503 n times, then 200 once, then anew; ?key=TEXT counts apart",
    "/bytes/{n}": "streams n bytes, at most 4 GiB",
    "/throttle/{n}": "answers 429 with Retry-After: n",
    "/drop": "closes the connection without an answer",
}


class _Refused(Exception):
    """A parameter is missing or out of its bounds."""


def mock_app() -> web.Application:
    """Return the mock provider; every parameter is bounded, and it keeps at most 1000 counters."""
    mock = _Mock()
    app = web.Application()
    # One route, because the raw path decides: the router would decode and normalise it.
    app.router.add_route("*", "/{rest:.*}", mock.answer)
    app.router.add_route("*", "/", mock.answer)
    return app


async def start_mock() -> tuple[str, web.AppRunner]:
    """Serve the mock provider on a free loopback port.

    Returns: its base URL, and the runner whose `cleanup()` stops it.
    """
    runner = web.AppRunner(mock_app(), access_log=None, auto_decompress=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    except BaseException:  # cancelled too: a reload is, when the process is told to end meanwhile
        await runner.cleanup()
        raise
    return f"http://127.0.0.1:{runner.addresses[0][1]}", runner


class _Mock:
    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._handlers: Mapping[str, Callable[[web.Request, str], Awaitable[web.StreamResponse]]] = {
            "": self._help,
            "anything": _anything,
            "status": _status,
            "delay": _delay,
            "sse": _sse,
            "fail-first": self._fail_first,
            "bytes": _bytes,
            "throttle": _throttle,
            "drop": _drop,
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        name, _, argument = path.removeprefix("/").partition("/")
        handler = self._handlers.get(name)
        if handler is None:
            return _json({"error": "unknown path", "paths": ROUTES}, 404)
        try:
            return await handler(request, argument)
        except _Refused as error:
            return _json({"error": str(error), "paths": ROUTES}, 400)

    async def _help(self, _request: web.Request, _argument: str) -> web.Response:
        return _json({"service": "the mock provider built into tidegate", "paths": ROUTES})

    async def _fail_first(self, request: web.Request, argument: str) -> web.Response:
        wanted = int(_number(argument, 0, 1000))
        key = argument + " " + request.query.get("key", "")[:100]
        failed = self._failures.pop(key, 0)
        if failed >= wanted:
            return _json({"failed_before": failed})
        if len(self._failures) >= _MAX_KEYS:
            del self._failures[next(iter(self._failures))]
        self._failures[key] = failed + 1
        return _json({"failed_before": failed}, 503)


async def _anything(request: web.Request, _argument: str) -> web.Response:
    shown = bytearray()
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        shown += piece[: _SHOWN_BYTES - len(shown)]
    path, _, query = request.raw_path.partition("?")
    body, encoding = _printable(bytes(shown))
    return _json(
        {
            "method": request.method,
            "path": path,
            "query": query,
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.raw_headers],
            "body": body,
            "body_encoding": encoding,
            "body_bytes": size,
            "body_cut": size > len(shown),
        }
    )


async def _status(request: web.Request, argument: str) -> web.Response:
    code = int(_number(argument, 200, 599))
    response = web.Response(status=code) if code in {204, 304} else _json({"status": code}, code)
    if "retry_after" in request.query:
        response.headers["Retry-After"] = str(int(_number(request.query["retry_after"], 0, 86400)))
    return response


async def _delay(_request: web.Request, argument: str) -> web.Response:
    seconds = _number(argument, 0, 60)
    await asyncio.sleep(seconds)
    return _json({"delayed_s": seconds})


async def _sse(request: web.Request, argument: str) -> web.StreamResponse:
    count = int(_number(argument, 0, 10_000))
    interval_s = _number(request.query.get("interval", "0.1"), 0, 60)

    async def events() -> AsyncIterator[bytes]:
        for number in range(count):
            if number:
                await asyncio.sleep(interval_s)
            yield b'id: %d\ndata: {"number":%d}\n\n' % (number, number)

    return await _stream(request, {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}, events())


async def _bytes(request: web.Request, argument: str) -> web.StreamResponse:
    size = int(_number(argument, 0, _MAX_BYTES))

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, len(_PIECE)):
            yield _PIECE[: size - start]

    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    return await _stream(request, headers, pieces())


async def _throttle(_request: web.Request, argument: str) -> web.Response:
    response = _json({"error": "too many requests"}, 429)
    response.headers["Retry-After"] = str(int(_number(argument, 0, 86400)))
    return response


async def _drop(request: web.Request, _argument: str) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # never written: the transport is gone


async def _stream(request: web.Request, headers: Mapping[str, str], pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    if request.method != "HEAD":
        async for piece in pieces:
            await response.write(piece)
    await response.write_eof()
    return response


def _number(text: str, least: float, most: float) -> float:
    """Read a number within its bounds; NaN is outside of all."""
    try:
        value = float(text) if len(text) <= 20 else math.nan
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise _Refused(f"a number from {least} to {most} is needed in the path or query")
    return value


def _printable(data: bytes) -> tuple[str, str]:
    try:
        return data.decode(), "text"
    except UnicodeDecodeError:
        return base64.b64encode(data).decode(), "base64"


def _json(value: object, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=body, status=status, content_type="application/json")
