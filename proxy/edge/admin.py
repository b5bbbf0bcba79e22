"""The admin listener: health, metrics and live state, for probes, Prometheus and people. Nothing is proxied here."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Final, Protocol

import orjson
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy.core.errors import BrowserRefused, InternalError, MisdirectedHost, TidegateError
from proxy.sansio.hosts import HostRule

_TICK_S: Final = 1.0
_STALLED_S: Final = 5.0
# Far above what probes, Prometheus and people need.
MOST_CONNECTIONS: Final = 256
IDLE_S: Final = 15.0
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "tidegate",  # the library would tell its own version and Python's
}
_INDEX: Final = """\
tidegate

/livez          the process is alive
/readyz         it takes calls; the problems when it does not
/metrics        Prometheus metrics
/api/providers  live state of every policy, by provider
"""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AdminView(Protocol):
    """What the admin pages show. Times are monotonic seconds."""

    @property
    def draining(self) -> bool:
        """Whether tidegate is going down."""

    @property
    def hosts(self) -> Iterable[str]:
        """Further names that callers may put into Host."""

    def now(self) -> float:
        """Tell the time on the loop's own clock."""

    def snapshots(self, now: float) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
        """Tell the live state by provider and section."""

    def readiness(self) -> list[str]:
        """List what keeps tidegate from taking calls; an upstream outage is never one."""

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Write all metrics; returns body and Content-Type."""

    def redact(self, data: bytes) -> bytes:
        """Take every known secret out."""


def admin_app(view: AdminView) -> web.Application:
    """Return the admin pages over this view; GET and HEAD only."""
    pages = _Pages(view)
    app = web.Application(middlewares=[_Guard(view).around])
    app.cleanup_ctx.append(pages.watch)
    app.router.add_get("/", pages.index)
    app.router.add_get("/livez", pages.livez)
    app.router.add_get("/readyz", pages.readyz)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/api/providers", pages.providers)
    return app


def admin_runner(view: AdminView) -> web.AppRunner:
    """Return what serves these pages, within bounds: 256 connections, and 15 s for a request's head to come whole."""
    return _Runner(admin_app(view), access_log=None, shutdown_timeout=1.0, keepalive_timeout=IDLE_S)


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(server.request_handler, request_factory=server.request_factory, **self._kwargs)


class _Server(web.Server):
    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._connections) > MOST_CONNECTIONS:
            handler.force_close()


class _Pages:
    def __init__(self, view: AdminView) -> None:
        self._view = view
        self._ticked_at = view.now()

    async def watch(self, _app: web.Application) -> AsyncIterator[None]:
        ticking = asyncio.create_task(self._tick())
        yield
        ticking.cancel()
        await asyncio.wait([ticking])

    async def _tick(self) -> None:
        while True:
            self._ticked_at = self._view.now()
            await asyncio.sleep(_TICK_S)

    async def index(self, _request: web.Request) -> web.Response:
        return web.Response(text=_INDEX)

    async def livez(self, _request: web.Request) -> web.Response:
        # Upstreams and credentials are not looked at: a restart would cure neither.
        late_s = self._view.now() - self._ticked_at
        return _json({"alive": late_s < _STALLED_S}, 200 if late_s < _STALLED_S else 503)

    async def readyz(self, _request: web.Request) -> web.Response:
        problems = ["draining"] if self._view.draining else self._view.readiness()
        return _json({"ready": not problems, "problems": problems}, 503 if problems else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        body, kind = self._view.metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": kind})

    async def providers(self, _request: web.Request) -> web.Response:
        return _json({"providers": self._view.snapshots(self._view.now())})


class _Guard:
    """Decides who may read, and lets nothing out that is not redacted."""

    def __init__(self, view: AdminView) -> None:
        self._redact = view.redact
        self._hosts = HostRule(view.hosts)

    @web.middleware
    async def around(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            self._admit(request)
            response = await handler(request)
        except TidegateError as error:
            response = _problem(error.status, error.title, error.detail, error.reason)
        except web.HTTPException as error:
            response = _problem(error.status, error.reason, "see / for what there is", "bad_request")
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except Exception:  # a page that fails must answer, and must not show its traceback
            logging.getLogger(__name__).exception("an admin page failed")
            bug = InternalError("the log has the traceback")
            response = _problem(bug.status, bug.title, bug.detail, bug.reason)
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            response.body = self._redact(response.body)
        response.headers.update(_HEADERS)
        return response

    def _admit(self, request: web.Request) -> None:
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not self._hosts.admits(hosts[0]):
            raise MisdirectedHost("use an address, localhost, or a name listed in admin.hosts")
        # `none` is a person who typed the address, `same-origin` a page of ours; an Origin comes with neither.
        if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
            raise BrowserRefused("the admin pages are not for other sites' scripts")


def _problem(status: int, title: str, detail: str, reason: str) -> web.Response:
    """Write an error as RFC 9457 has it."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "reason": reason}
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/problem+json")


def _json(value: object, status: int = 200) -> web.Response:
    body = orjson.dumps(value, default=str, option=orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=body, status=status, content_type="application/json")
