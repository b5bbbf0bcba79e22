"""One HTTP/1.1 connection to a provider: one exchange at a time, and its limits in time.

A connection is used again only when nothing is in doubt; any byte that arrives while no exchange is under
way closes it, because it would answer the next call.
"""

import asyncio
import select
import ssl
from collections.abc import Callable
from typing import Final, cast

from proxy.core.call import Call, Reply
from proxy.core.errors import ConnectionDropped, DeadlineExceeded, ResponseTimeout, TidegateError
from proxy.core.outcome import Outcome
from proxy.edge.upstream.parse import AnswerParser
from proxy.edge.upstream.stream import ReplyStream

FAIR_TIME_S: Final = 1.0  # a provider that had less before the caller's deadline is not to blame
_TIMER_SLACK_S: Final = 0.002  # uvloop's timers count whole milliseconds
_NEVER: Final = float("inf")


class Connection(asyncio.Protocol):
    """A connection, and the exchange that it carries if any.

    authority: the Host value. base_path: stands before every target. born_at, idle_since: monotonic
    instants, read by the pool.
    on_free: hears that the connection may carry another exchange. on_lost: hears, once, that it is gone.
    """

    def __init__(
        self,
        origin: tuple[bytes, bytes],
        now: Callable[[], float],
        on_free: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        authority, base_path = origin
        self._before_target = b" " + base_path
        self._version_and_host = b" HTTP/1.1\r\nHost: " + authority + b"\r\n"
        self._loop = asyncio.get_running_loop()
        self._now = now
        self._on_free = on_free
        self._on_lost = on_lost
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)  # none before connection_made
        self._readable = select.poll()
        self._parser = AnswerParser()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._limit_at = _NEVER
        self._resumed: asyncio.Future[None] | None = None
        self.born_at = self.idle_since = now()
        self.closed = False
        self._reset()

    def _reset(self) -> None:
        self._call: Call | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self._stream: ReplyStream | None = None
        self._sender: asyncio.Task[None] | None = None
        self._sent_at = _NEVER  # until the whole request is with the transport
        self._started_at = 0.0

    def watch(self, fd: int) -> None:
        """Learn the socket, so that `has_unread` can ask the kernel."""
        self._readable.register(fd, select.POLLIN)

    def has_unread(self) -> bool:
        """Say whether bytes, or the end, have arrived that the loop has not handed over yet."""
        return bool(self._readable.poll(0))

    async def exchange(self, call: Call) -> Reply:
        """Send the call and return its reply; a body that has not arrived whole comes as a stream.

        Raises: UpstreamFailed or DeadlineExceeded; a TidegateError of the caller's when the request body
        can't be read. A cancelled exchange closes the connection.
        """
        if self.closed:  # the provider hung up between connection and request
            raise ConnectionDropped("the provider closed the connection before its answer")
        self._call = call
        body = call.body
        waiter: asyncio.Future[Reply] = self._loop.create_future()
        self._waiter = waiter
        self._started_at = self._now()
        self._parser.expect(head_only=call.method == "HEAD", on_continue=call.on_continue)
        start = (call.method.encode(), self._before_target, call.target, self._version_and_host)
        head = b"".join((*start, *[b"%b: %b\r\n" % pair for pair in call.headers], b"\r\n"))
        if body.whole is None:
            self._transport.write(head)
            self._limit(call.deadline_at)  # the attempt's time runs once the request is out
            self._sender = self._loop.create_task(self._send_body(call))
        else:
            data = body.whole
            self._sent_at = self._started_at
            call.record.request_bytes = len(data)
            until, deadline_at = call.attempt_until, call.deadline_at
            self._limit(until if until < deadline_at else deadline_at)  # noqa: FURB136  # min() takes twice as long
            self._transport.write(head + (data if body.length is not None else _chunks(data)))
        try:
            return await waiter
        except asyncio.CancelledError:
            if self._call is call:  # else it is over, and the connection may carry another one already
                self.close()
            raise

    async def _send_body(self, call: Call) -> None:
        record, chunked = call.record, call.body.length is None
        record.request_bytes = 0
        try:
            async for piece in call.body.chunks():
                self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                record.request_bytes += len(piece)
                if self._resumed is not None:
                    self._limit(min(self._now() + call.body_idle_s, call.deadline_at))
                    await self._resumed
                    self._limit(call.deadline_at)
        except TidegateError as error:
            self._fail(error)
            return
        if chunked:
            self._transport.write(b"0\r\n\r\n")
        now = self._now()
        self._sent_at, self._sender = now, None
        if not self._parser.head_done:
            self._limit(min(now + call.attempt_until - self._started_at, call.deadline_at))

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, connected and, with TLS, verified."""
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        """Hear that the send buffer is full."""
        self._resumed = self._loop.create_future()

    def resume_writing(self) -> None:
        """Hear that the send buffer has room again."""
        if self._resumed is not None:
            if not self._resumed.done():  # cancelled with its sender
                self._resumed.set_result(None)
            self._resumed = None

    def data_received(self, data: bytes) -> None:
        """Parse what the provider sent; unsolicited bytes close the connection."""
        call = self._call
        if call is None:
            self.close()
            return
        try:
            self._parser.feed(data)
        except TidegateError as error:
            self._fail(error)
            return
        if self._parser.head_done:
            self._deliver(call)

    def connection_lost(self, error: Exception | None) -> None:
        """Hear that the connection is gone; that ends a body without length, and cuts any other."""
        call, parser = self._call, self._parser
        if call is not None:
            if parser.head_done and parser.until_close and error is None and _ended_on_purpose(self._transport):
                parser.complete = True
                self._deliver(call)
            else:
                what = "in the middle of" if parser.head_done else "before"
                # In TLS 1.3 a client certificate is judged after the handshake, and the alert comes here.
                why = f": {error.reason}" if isinstance(error, ssl.SSLError) and error.reason else ""
                self._fail(ConnectionDropped(f"the provider closed the connection {what} its answer{why}"))
        self.close()

    # How an exchange ends

    def _deliver(self, call: Call) -> None:
        parser, stream, waiter = self._parser, self._stream, self._waiter
        if waiter is not None:
            self._waiter = None
            reply = Reply(parser.status, parser.reason, parser.head, b"")
            if parser.complete:
                reply.body, reply.trailers = b"".join(parser.pieces), parser.fields
                self._finish()
            else:
                reply.stream = stream = self._stream = ReplyStream(self)
                self._pass_on(call, stream)
            if not waiter.done():
                waiter.set_result(reply)
        elif stream is not None:
            self._pass_on(call, stream)
            if parser.complete:
                stream.trailers = parser.fields
                self._finish()
                stream.end()

    def _pass_on(self, call: Call, stream: ReplyStream) -> None:
        pieces = self._parser.pieces
        if pieces:
            stream.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            self._parser.pieces = []
        if not stream.full:
            self._limit(min(self._now() + call.body_idle_s, call.deadline_at))

    def _finish(self) -> None:
        if not (self._parser.keep and self._sent_at < _NEVER) or self.closed:
            self.close()
            return
        if self._stream is not None and self._stream.full:
            self._transport.resume_reading()  # its reader is behind, which is nothing to the next exchange
        self._reset()
        self.idle_since = self._now()
        self._on_free(self)

    def _fail(self, error: Exception) -> None:
        waiter, stream = self._waiter, self._stream
        self.close()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        if stream is not None:
            stream.end(error)

    def close(self) -> None:
        """Close now, whatever is under way; harmless when already closed."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._sender is not None and self._sender is not asyncio.current_task():
            self._sender.cancel()
        busy = self._call is not None
        self._reset()
        self._parser.drop()
        if busy:
            self._transport.abort()
        elif self._transport is not None:
            self._transport.close()
        self._on_lost(self)

    # Flow control and time

    def pause(self) -> None:
        """Stop reading: the caller is slower than the provider, which is no fault of the provider's."""
        if self._call is not None:
            self._transport.pause_reading()
            self._limit(self._call.deadline_at)

    def resume(self) -> None:
        """Read on."""
        if self._call is not None:
            self._transport.resume_reading()
            self._limit(min(self._now() + self._call.body_idle_s, self._call.deadline_at))

    def _limit(self, at: float) -> None:
        # The timer only ever moves earlier here; a limit that moved later is found when the timer fires.
        # So a connection that is always in time arms one timer per timeout, not per call.
        self._limit_at = at
        if at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = at
            self._timer = self._loop.call_later(max(0.0, at - self._now()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, _NEVER
        call, now = self._call, self._now()
        if call is None:
            return
        if now + _TIMER_SLACK_S < self._limit_at:
            self._limit(self._limit_at)
        elif now + _TIMER_SLACK_S >= call.deadline_at:
            self._fail(self._late(now))
        elif self._parser.head_done:
            self._fail(ResponseTimeout("the provider sent no further piece of its answer in time"))
        else:
            self._fail(ResponseTimeout("the provider did not begin to answer in time"))

    def _late(self, now: float) -> DeadlineExceeded:
        if self._parser.head_done:
            return DeadlineExceeded("the call's deadline passed in the middle of the answer")
        if self._sent_at == _NEVER:
            return DeadlineExceeded("the call's deadline passed while the request was being sent")
        late = DeadlineExceeded("the call's deadline passed before the provider began to answer")
        if now - self._sent_at >= FAIR_TIME_S:
            late.outcome = Outcome.FAILED
        return late


def _ended_on_purpose(transport: asyncio.Transport) -> bool:
    # RFC 9112 section 9.8: TLS has an end of its own, and anybody on the way can fake that of TCP.
    tls = transport.get_extra_info("ssl_object")
    try:
        return tls is None or bool(tls.read(1))
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False


def _chunks(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
