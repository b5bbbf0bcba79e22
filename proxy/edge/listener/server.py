"""The HTTP server under the listener: aiohttp's hardened parser and flow control, and a serving loop of our own.

aiohttp's own loop makes a task, a writer and four coroutines per request, which costs as much as all policies
together; this one serves in the connection's task. It also bounds what aiohttp leaves open: the time in which
a head must come, and the number of connections.

A caller's FIN means that it is gone, as nginx takes it: its call is cancelled. Callers that close their half of the
connection and still want the answer are not served.
"""

import asyncio
import contextlib
import logging
import os
import select
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import aiohttp.http_parser
from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from proxy.core.errors import BadRequest, BulkheadFull, HeadTimeout, TidegateError
from proxy.edge.listener.request import Request
from proxy.edge.listener.sweep import Socket, Sweeper

_LINGER_S: Final = 2.0  # a caller that is still sending gets so long to see why it was refused
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s
_END_S: Final = 1.0  # in which a call that is cut off has ended, log line included

Refuse = Callable[[TidegateError], bytes]
"""Makes the whole answer to bytes that never became a request."""


MAX_LINE_BYTES: Final = 16 * 1024  # presigned URLs and GraphQL GETs are long
MAX_FIELD_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 128
MAX_UNFINISHED_BYTES: Final = 64 * 1024  # of a head that is still coming; aiohttp bounds only its lines


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one caller may take.

    connections: open at once. header_s: from the first byte of a head to its last. idle_s: without a request.
    """

    connections: int
    header_s: float
    idle_s: float


Serve = Callable[[Request], Awaitable[bool]]
"""Serves one request, answer included; returns whether the connection may carry another."""


class CallerConnection(RequestHandler):
    """Serves the requests of one connection, one after the other; a caller that leaves cancels its call.

    It leaves with a FIN or a reset. While its body is held back nothing is read, and the sweeper looks for both.
    """

    __slots__ = ("_bounds", "_content", "_head_bytes", "_head_timer", "_link", "_refuse", "_serve", "_sweeper")

    def __init__(self, server: "Server", **options: Any) -> None:
        super().__init__(server, keepalive_timeout=server.bounds.idle_s, **options)
        self._serve = server.serve
        self._refuse = server.refuse
        self._bounds = server.bounds
        self._sweeper = server.sweeper
        self._link: asyncio.Transport | None = None  # until it is lost; `transport` is forgotten when it is closed
        self._content: StreamReader | None = None  # the body of the request that is being served
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0  # of the unfinished head

    @property
    def idle(self) -> bool:
        """Whether no request is being served, nor the head of one coming in."""
        return self._waiter is not None and not self._waiter.done() and self._head_timer is None

    @property
    def busy(self) -> bool:
        """Whether an answer is under way: being made, or not all of it with the kernel."""
        return self._link is not None and (self._content is not None or self._link.get_write_buffer_size() > 0)

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task that serves, None once the connection is lost."""
        return self._task_handler

    @property
    def socket(self) -> Socket | None:
        """The caller's socket, None once it is closed."""
        return None if self._link is None else cast(Socket, self._link.get_extra_info("socket"))

    def abort(self) -> None:
        """Reset the connection. To a caller that reads until the end, an orderly one would make half a body whole."""
        if self._link is None or (ours := self.socket) is None:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(ours.fileno())) as same:  # uvloop's sets nothing
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._link.abort()

    async def drain(self) -> None:
        """Wait until the caller has caught up; raises ConnectionError when it leaves."""
        await self._drain_helper()

    async def start(self) -> None:
        """Serve until the caller leaves, errs or idles too long; runs as the connection's one task."""
        try:
            while not self._force_close and await self._serve_next():
                self._await_next()
        except asyncio.CancelledError:
            self.force_close()
            raise
        except Exception:
            logging.getLogger("tidegate").exception("bug while serving a connection")
        if self.transport is not None and not self._force_close:
            self._task_handler = None
            self.transport.close()

    async def _serve_next(self) -> bool:
        if not self._messages:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, content = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        if not isinstance(message, RawRequestMessage):
            self._answer(BadRequest(_what_is_wrong(message.exc)))
            return False
        self._content = content
        keep = await self._serve(Request(message, content, self))
        self._content = None
        if not content.is_eof():
            await self._linger(content)
            return False
        return keep and not self._close

    def _await_next(self) -> None:
        closes_at = self._next_keepalive_close_time = self._loop.time() + self._bounds.idle_s
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(closes_at, self._process_keepalive)

    async def _linger(self, content: StreamReader) -> None:
        """Read on for a moment: a socket closed on unread bytes would take the answer away from the caller."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_LINGER_S):
                while not content.is_eof():
                    await content.readany()

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or answer 503 and close when there are too many."""
        super().connection_made(transport)
        self._link = cast(asyncio.Transport, transport)
        if self._manager is not None and len(self._manager.connections) > self._bounds.connections:
            self._answer(BulkheadFull("too many connections (egress.max_connections)", retry_after_s=1.0))
            self.force_close()

    def data_received(self, data: bytes) -> None:
        """Parse; while a head is unfinished, a timer runs."""
        super().data_received(data)
        waiter = self._waiter
        if waiter is None and self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            self._break_off()
        if waiter is None or waiter.done():
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        else:
            self._await_head(len(data))

    def _await_head(self, size: int) -> None:
        if self._head_timer is None:
            self._head_timer = self._loop.call_later(self._bounds.header_s, self._head_late)
            self._head_bytes = 0
        self._head_bytes += size
        if self._head_bytes > MAX_UNFINISHED_BYTES and not self._force_close:
            limit = f"the request's head is larger than {MAX_UNFINISHED_BYTES // 1024} KiB"
            self._answer(BadRequest(f"{limit}; send less in it, and what is long in the body"))
            self.force_close()

    def _break_off(self) -> None:
        # aiohttp queues the error behind the request whose body it is in, which would wait for the rest in vain.
        if self._content is not None and not self._content.is_eof():
            self._content.set_exception(ValueError("the body's framing is broken"))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop what looked after the connection."""
        self._sweeper.forget(self)
        self._link = None
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().connection_lost(exc)

    def _pause_transport_reading(self) -> None:
        super()._pause_transport_reading()
        if self._link is not None:
            self._sweeper.watch(self)

    def _resume_transport_reading(self) -> None:
        self._sweeper.forget(self)
        super()._resume_transport_reading()

    def _head_late(self) -> None:
        self._head_timer = None
        self._answer(HeadTimeout(f"the request's head did not come within {self._bounds.header_s:g} s"))
        self.force_close()

    def _answer(self, error: TidegateError) -> None:
        if self.transport is not None:
            self.transport.write(self._refuse(error))


def _what_is_wrong(error: BaseException) -> str:
    """Say why a head was refused, without a byte of it."""
    if isinstance(error, LineTooLong):
        limit = f"the request line or a header field is longer than {MAX_FIELD_BYTES // 1024} KiB"
        return f"{limit}; shorten it, or send what is long in the body"
    if "Too many headers" in str(error):
        return f"the request has more than {MAX_HEADERS} header fields; send fewer"
    return "the request is not valid HTTP/1.1"


class Server(web.Server):
    """Makes `CallerConnection`s. bounds: what a new connection gets; may be replaced at any time."""

    def __init__(self, serve: Serve, bounds: Bounds, refuse: Refuse) -> None:
        if aiohttp.http_parser.HttpRequestParser is aiohttp.http_parser.HttpRequestParserPy:
            # Six of aiohttp's advisories hit only the parser in Python.
            raise RuntimeError("aiohttp runs without its C parser; install a wheel for this platform")
        super().__init__(cast(Any, serve), handler_cancellation=True)
        self.serve = serve
        self.bounds = bounds
        self.refuse = refuse
        self.sweeper = Sweeper()

    async def reset_busy(self) -> None:
        """Reset every connection whose answer is under way: half of one must not end as a whole one does."""
        busy = [one for one in self._connections if isinstance(one, CallerConnection) and one.busy]
        tasks = [one.task for one in busy if one.task is not None]
        for one in busy:
            one.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=_END_S)

    def idle(self) -> list[CallerConnection]:
        """Return the connections that wait for a request."""
        return [one for one in self._connections if isinstance(one, CallerConnection) and one.idle]

    def close_idle(self) -> None:
        """Close the connections that wait for a request, but for those where the kernel has something to read."""
        waiting = {ours.fileno(): one for one in self.idle() if (ours := one.socket) is not None}
        poll = select.poll()
        for fd in waiting:
            poll.register(fd, select.POLLIN)
        for fd in waiting.keys() - {fd for fd, _ in poll.poll(0)}:
            waiting[fd].force_close()  # its close() would leave the transport open, and nobody reading

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return CallerConnection(
            self,
            loop=self._loop,
            access_log=None,
            auto_decompress=False,  # bodies pass as they are, and a bomb stays wrapped
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_HEADERS,
        )
