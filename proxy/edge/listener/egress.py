"""The egress listener: one request in, one call through a provider's stack, one answer out, one event told."""

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11

from proxy.core.call import METHODS, NO_BODY, Call, Reply, Stream, field_value
from proxy.core.errors import (
    BadRequest,
    BrowserRefused,
    CallerGone,
    DeadlineExceeded,
    GuardMissing,
    InternalError,
    Misused,
    Source,
    TidegateError,
    VersionNotSupported,
)
from proxy.core.events import CallEnded, Event, RequestRefused
from proxy.core.outcome import Outcome
from proxy.core.record import Record
from proxy.edge.listener.answer import answer
from proxy.edge.listener.body import CallerBody, gather
from proxy.edge.listener.head import RequestHead
from proxy.edge.listener.request import Request
from proxy.edge.listener.rewrite import Rewriter, base_of
from proxy.edge.listener.routes import Route, Routes
from proxy.edge.listener.steering import require_account, steer
from proxy.edge.listener.trace import follow
from proxy.edge.listener.writer import Composed, write_rest, write_whole

_OURS: Final = b"X-Request-Id: %b\r\nTidegate-Source: %b\r\nTidegate-Attempts: %d\r\n"
_EXHAUSTED: Final = Outcome.EXHAUSTED  # looking a member up in its class is slow, and this is the hot path
_SANE_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class EgressRules:
    """What the listener asks of every request.

    guard: header name (lower case) and value that must be there, None for any value; None for no guard.
    allow_browsers: whether requests from browser pages pass. replay_bytes: bodies up to this size can be sent
    again. body_idle_s: the longest wait for the next piece of a body, either way. trace_share: of the calls that come
    without a trace, how many begin one (0 to 1); None where no spans are made.
    """

    guard: tuple[bytes, bytes | None] | None
    allow_browsers: bool
    replay_bytes: int
    body_idle_s: float
    trace_share: float | None = None


class Egress:
    """The request handler behind one listening address."""

    def __init__(  # noqa: PLR0913  # what it serves, and the process around it
        self,
        routes: Routes,
        rules: EgressRules,
        now: Callable[[], float],
        emit: Callable[[Event], None],
        crashed: Callable[[str, BaseException], None],
        redact: Callable[[bytes], bytes],
    ) -> None:
        self._routes = routes
        self._rules = rules
        self._now = now
        self._emit = emit
        self._crashed = crashed
        self._redact = redact
        self.in_flight = 0
        self.draining = False

    def configure(self, routes: Routes, rules: EgressRules) -> None:
        """Take new routes and rules; they hold from the next request on."""
        self._routes, self._rules = routes, rules

    async def __call__(self, request: Request) -> bool:
        """Serve one request; the answer is on the wire, or the connection aborted, when this returns.

        Returns: whether the connection may carry another request.
        """
        call = Call("-", request.method, b"", [], NO_BODY, Record(self._now()))
        route: Route | None = None
        self.in_flight += 1
        try:
            try:
                route = self._admit(request, call)
                if isinstance(call.body, CallerBody):
                    call.body = await gather(call.body, call, self._now)
                reply = await route.handler(call)
                rewriter = route.rewriter
                if rewriter is not None and rewriter.fields and rewriter.wants_body(call, reply):
                    await self._rewrite(call, reply, rewriter)
                composed = self._composed(request, call, reply, route)
            except TidegateError as error:
                return await self._answer_error(request, call, error, route)
            except asyncio.CancelledError:
                self._ended(call, None, "sidecar", CallerGone.reason)
                raise
            except Exception as error:  # noqa: BLE001  # a bug must cost one call, not the process
                self._crashed(call.request_id, error)
                return await self._answer_error(
                    request, call, InternalError("a bug in tidegate; the log has it"), route
                )
            return await self._send(request, call, reply, composed, "sidecar" if reply.own else "provider", "")
        finally:
            self.in_flight -= 1

    def refuse(self, error: TidegateError) -> bytes:
        """Return the whole answer to bytes that never became a request."""
        self._emit(RequestRefused(error.reason, error.status))
        call = Call("-", "GET", b"/", [], NO_BODY, Record(self._now()))
        call.request_id = _new_id()
        reply = answer(error, "-", call.request_id, self._redact)
        ours = _OURS % (call.request_id.encode(), b"sidecar", 0)
        composed = Composed(call, reply, ours, http11=True, keep_alive=False)
        return composed.head + reply.body

    def _admit(self, request: Request, call: Call) -> Route:
        """Make the request a call, or raise what is wrong with it."""
        call.request_id = _new_id()
        head = RequestHead(request.raw_headers)
        if head.request_id is not None and _SANE_ID.fullmatch(head.request_id):
            call.request_id = head.request_id.decode()
        self._judge(request, head)
        route, target = self._routes.find(head.host, request.raw_path)
        call.provider = route.name
        call.target = target.encode("utf-8", "surrogateescape")
        # By host name or port the target is all of the path; else the name was taken off its front.
        call.base = base_of(head.host, "" if len(target) == len(request.raw_path) else route.name)
        call.headers = head.headers
        share = self._rules.trace_share
        if head.traced or share is not None:
            call.headers, call.trace = follow(head.headers, share, traced=head.traced, restart=route.restart_trace)
        if head.steering:
            steer(call, head.steering, route.accounts)
        if route.needs_account:
            require_account(call, route.accounts)
        if head.length is not None or head.chunked:
            call.on_continue = _continuer(request) if head.expects else None
            call.body = CallerBody(request.content, head, self._rules.replay_bytes, self._rules.body_idle_s)
        return route

    def _judge(self, request: Request, head: RequestHead) -> None:
        version = request.version
        if version != HttpVersion11:
            self._judge_old(version, head)
        elif head.host is None:
            raise BadRequest("the request has no Host header")
        if request.method not in METHODS:
            raise BadRequest("this method is not served; served are " + ", ".join(sorted(METHODS)))
        rules = self._rules
        if head.browser and not rules.allow_browsers:
            raise BrowserRefused(
                "requests with Origin or Sec-Fetch-Site come from a browser page, which must not spend this service's "
                "credentials; call from the service, or write egress.allow_browsers: true"
            )
        if rules.guard is not None:
            name, value = rules.guard
            found = field_value(head.headers + head.steering, name)
            if found is None or (value is not None and found != value):
                raise GuardMissing(
                    f"this sidecar asks every request for the header {name.decode()} (egress.require_header)"
                )
            head.headers = [pair for pair in head.headers if pair[0].lower() != name]
            head.steering = [pair for pair in head.steering if pair[0].lower() != name]

    @staticmethod
    def _judge_old(version: HttpVersion, head: RequestHead) -> None:
        if version != HttpVersion10:
            raise VersionNotSupported("only HTTP/1.0 and HTTP/1.1 are served")
        if head.chunked:
            raise BadRequest("HTTP/1.0 knows no Transfer-Encoding")

    def _keeps(self, request: Request) -> bool:
        # The rest of a body that is not here yet stands between the answer and the next request.
        return request.keep_alive and request.content.is_eof() and not self.draining

    async def _rewrite(self, call: Call, reply: Reply, rewriter: Rewriter) -> None:
        streamed = reply.stream is not None
        try:
            await rewriter.body(call, reply)
        except BaseException:  # cancelled, or a bug: nobody else gives the rest of the body up
            reply.discard()
            raise
        if streamed and reply.stream is None:
            self._body_ended(call)

    def _composed(self, request: Request, call: Call, reply: Reply, route: Route) -> Composed:
        keep, ours = self._keeps(request), _ours(call, reply, route)
        try:
            return Composed(call, reply, ours, http11=_is_11(request), keep_alive=keep, rewriter=route.rewriter)
        except BaseException:  # it leads where the caller must not go, or a bug: nobody else gives the body up
            if reply.stream is not None:
                self._close_stream(call, reply.stream)
            raise

    async def _answer_error(self, request: Request, call: Call, error: TidegateError, route: Route | None) -> bool:
        self._note(call, error)
        reply = answer(error, call.provider, call.request_id, self._redact)
        ours = _OURS % (call.request_id.encode(), error.source.encode(), call.record.attempts) + _minted(call)
        if route is not None and route.stop is not None:
            ours += route.stop[1]  # the SDK's own retries would multiply ours
        # What the caller got wrong may be its framing: then the next bytes are no request.
        keep = self._keeps(request) and not isinstance(error, Misused)
        composed = Composed(call, reply, ours, http11=_is_11(request), keep_alive=keep)
        return await self._send(request, call, reply, composed, error.source, error.reason)

    def _note(self, call: Call, error: TidegateError) -> None:
        record, now = call.record, self._now()
        if isinstance(error, DeadlineExceeded):
            record.note(now, "deadline", f"the call had {call.deadline_at - record.started_at:.3f} s in all")
        record.note(now, error.source, error.detail)

    async def _send(  # noqa: PLR0913  # one answer: to whom, what, how, and by whose doing
        self, request: Request, call: Call, reply: Reply, composed: Composed, source: Source, reason: str
    ) -> bool:
        cut = ""
        try:
            if not write_whole(request, call, reply, composed):
                await write_rest(request, call, reply, composed, self._rules.body_idle_s)
        except TidegateError as error:
            self._note(call, error)
            cut = error.reason
        except Exception as error:  # noqa: BLE001  # a bug; how much of the answer is out, nobody knows
            self._crashed(call.request_id, error)
            cut = InternalError.reason
        except BaseException:
            cut = CallerGone.reason
            raise
        finally:
            if reply.stream is not None:
                self._close_stream(call, reply.stream)
            if cut:
                request.abort()
            if source != "provider":
                call.record.response_bytes = 0  # our own words did not come from the provider
            self._ended(call, reply, source, reason, cut)
        return composed.keep_alive and not (cut or self.draining)

    def _close_stream(self, call: Call, stream: Stream) -> None:
        self._body_ended(call)
        stream.abort()

    def _body_ended(self, call: Call) -> None:
        record = call.record
        record.body_s = self._now() - record.answered_at
        record.upstream_s += record.body_s

    def _ended(self, call: Call, reply: Reply | None, source: Source, reason: str, error: str = "") -> None:
        self._emit(CallEnded(call.provider, call, reply, source, reason, self._now(), error))


def _new_id() -> str:
    return "%032x" % random.getrandbits(128)  # noqa: UP031  # the fastest way to write it


def _is_11(request: Request) -> bool:
    return bool(request.version == HttpVersion11)


def _ours(call: Call, reply: Reply, route: Route) -> bytes:
    """Return the header lines that tidegate adds to an answer of the provider, or to one in its place."""
    source = b"sidecar" if reply.own else b"provider"
    ours = _OURS % (call.request_id.encode(), source, call.record.attempts)
    if route.request_id is not None:
        provider_id = field_value(reply.headers, route.request_id)
        if provider_id is not None:
            ours += b"Tidegate-Provider-Request-Id: %b\r\n" % provider_id
    if call.minted_key:
        ours += _minted(call)
    if route.stop is not None and (call.retries_spent or reply.outcome is _EXHAUSTED):
        name, line = route.stop
        reply.headers = [pair for pair in reply.headers if pair[0].lower() != name]
        ours += line
    return ours


def _minted(call: Call) -> bytes:
    return b"Tidegate-Idempotency-Key: %b\r\n" % call.minted_key.encode() if call.minted_key else b""


def _continuer(request: Request) -> Callable[[], None] | None:
    if request.version != HttpVersion11:
        return None  # RFC 9110 15.2: a 1.0 caller knows no interim answers

    def on_continue() -> None:
        if request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    return on_continue
