"""The admin listener's frame: who may ask, within what bounds, and that nothing leaves which is not redacted."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy.core.errors import BrowserRefused, InternalError, MisdirectedHost, TidegateError
from proxy.edge.admin import actions, api, console, pages, stream
from proxy.edge.admin.answers import HEADERS, Problem, problem
from proxy.edge.admin.view import AdminView
from proxy.sansio.hosts import HostRule
from proxy.sansio.lockout import LOCKED_S, MOST_FAILURES, WITHIN_S, Lockout

# Far above what probes, Prometheus and people need.
MOST_CONNECTIONS: Final = 256
IDLE_S: Final = 15.0
MOST_BYTES: Final = 16 * 1024
"""The largest body: an action is a line."""

OPEN: Final = frozenset({"/", "/livez", "/readyz", "/metrics", *console.FILES})
"""What never asks for the token: probes, Prometheus, and the console's own files, which hold no state."""
HARD_TO_GUESS: Final = 32  # characters of a token
_OWN_SITES: Final = frozenset({"none", "same-origin"})
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def admin_app(view: AdminView) -> web.Application:
    """Return the admin pages over this view."""
    app = web.Application(middlewares=[_Guard(view).around], client_max_size=MOST_BYTES)
    app.on_response_prepare.append(_say_how_to_use)
    for part in (pages, console, api, stream, actions):
        part.add(app, view)
    return app


def admin_runner(view: AdminView) -> web.AppRunner:
    """Return what serves these pages, within bounds: 256 connections, and 15 s for a request's head to come whole."""
    return _Runner(admin_app(view), access_log=None, shutdown_timeout=1.0, keepalive_timeout=IDLE_S)


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(server.request_handler, request_factory=server.request_factory, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

    @property
    def idle(self) -> bool:
        """Whether no request is being answered, nor waits for it."""
        return self._current_request is None and not self._messages

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what is no HTTP without a byte of it, and without a traceback in the log for each."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        response = problem(status, "Bad request", "the request is not valid HTTP/1.1", "bad_request")
        response.headers.update(HEADERS)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._connections) > MOST_CONNECTIONS:
            # The oldest that asks for nothing, or else whoever holds them all keeps the probes out.
            known = (one for one in self._connections if isinstance(one, _Connection) and one.idle)
            next(known, handler).force_close()


class _Guard:
    """Decides who may read, and lets nothing out that is not redacted."""

    def __init__(self, view: AdminView) -> None:
        self._view = view
        self._redact = view.redact
        self._hosts = HostRule(view.hosts)
        self._lockout = Lockout()

    @web.middleware
    async def around(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            self._admit(request)
            response = await handler(request)
        except TidegateError as error:
            response = problem(error.status, error.title, error.detail, error.reason)
        except Problem as error:
            response = problem(*error.parts)
            response.headers.update(error.headers)
        except web.HTTPException as error:
            response = problem(error.status, error.reason, "see / for what there is", "bad_request")
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except Exception:  # a page that fails must answer, and must not show its traceback
            logging.getLogger(__name__).exception("an admin page failed")
            bug = InternalError("the log has the traceback")
            response = problem(bug.status, bug.title, bug.detail, bug.reason)
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            response.body = self._redact(response.body)
        return response

    def _admit(self, request: web.Request) -> None:
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not self._hosts.admits(hosts[0]):
            raise MisdirectedHost("use an address, localhost, or a name listed in admin.hosts")
        # `none` is a person who typed the address, `same-origin` a page of ours, whose POSTs carry their Origin.
        # What ends TLS in front of us leaves the page's own name in Host.
        origin = request.headers.get("Origin", f"http://{hosts[0]}")
        own = origin in (f"http://{hosts[0]}", f"https://{hosts[0]}")
        if not own or request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
            raise BrowserRefused("the admin pages are not for other sites' scripts")
        if _is_action(request) or (self._view.protect == "all" and request.path not in OPEN):
            self._ask_for_token(request)

    def _ask_for_token(self, request: web.Request) -> None:
        peer, now = request.remote or "unix", self._view.now()
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        token = text.strip() if kind.lower() == "bearer" else None
        # A long one is looked at in any case: who shares the operator's address must not lock the operator out.
        if token is not None and len(token) < HARD_TO_GUESS and (left_s := self._lockout.left_s(peer, now)):
            least = f"none below {HARD_TO_GUESS} characters is looked at for a while"
            detail = f"too many wrong tokens came from this address; {least}"
            raise Problem(429, "Locked out", detail, "admin_locked_out", {"Retry-After": str(math.ceil(left_s))})
        admitted = self._view.admits(token)
        if admitted:
            self._lockout.succeeded(peer)
            return
        self._tell(request, peer, wrong=admitted is False and token is not None)
        if admitted is None:
            detail = "admin.token is not configured, or can't be read; this asks for it"
        else:
            detail = "send the token of admin.token as Authorization: Bearer TOKEN"
        title, scheme = "The admin token is missing or wrong", {"WWW-Authenticate": "Bearer"}  # RFC 9110 section 11.6.1
        raise Problem(401, title, detail, "admin_token_missing", scheme)

    def _tell(self, request: web.Request, peer: str, *, wrong: bool) -> None:
        """Count it and tell it, within bounds: who sends no token at all is not locked out, and yet makes no flood."""
        name, now = peer if wrong else f"{peer} without", self._view.now()
        if self._lockout.left_s(name, now):
            return
        if self._lockout.failed(name, now) and wrong:
            least = f"none below {HARD_TO_GUESS} characters is looked at for {LOCKED_S:.0f} s"
            self._view.refuse_action(peer, f"{MOST_FAILURES} wrong tokens within {WITHIN_S:.0f} s; {least}")
        elif _is_action(request):
            self._view.refuse_action(peer, "the token is wrong" if wrong else "no token")


async def _say_how_to_use(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)  # here, because some answers are the library's own


def _is_action(request: web.Request) -> bool:
    return request.path == actions.PATH and request.method == "POST"  # nothing else of that path is served
