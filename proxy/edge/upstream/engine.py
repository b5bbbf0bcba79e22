"""Send: the bottom of every stack. Takes a call, returns the provider's reply with its verdict."""

from collections.abc import Callable
from typing import Final, Protocol

from proxy.core.call import IDEMPOTENT, Call, Headers, Reply
from proxy.core.errors import BulkheadFull, DeadlineExceeded
from proxy.core.outcome import Outcome
from proxy.edge.upstream.dial import Dialler, Origin
from proxy.edge.upstream.http1 import Connection
from proxy.edge.upstream.pool import Pool, PoolConfig
from proxy.edge.upstream.tls import Tls
from proxy.edge.upstream.verdict import plain_beginning

_OK: Final = Outcome.OK  # looking a member up in its class is slow, and this is the hot path


class Classify(Protocol):
    """The one verdict on an answer."""

    @property
    def reads_body(self) -> Callable[[int], bool]:
        """Takes a status and says whether the body is needed to judge it."""

    def __call__(self, status: int, headers: Headers, body: bytes = b"") -> Outcome:
        """Judge an answer by its status, its headers and the beginning of its body."""

    def why(self, status: int, headers: Headers, body: bytes = b"") -> str:
        """Name the rule that judged it; empty where its plain status did."""


class Engine:
    """One provider's connections, and the handler that sends calls over them."""

    def __init__(
        self, origin: Origin, pool: PoolConfig, classify: Classify, now: Callable[[], float], tls: Tls | None = None
    ) -> None:
        self._origin = origin
        self._classify = classify
        self._reads_body = classify.reads_body
        self._now = now
        self._pool = Pool(pool, now)
        self._full = f"all connections of this provider are in use; pool.max_connections is {pool.max_connections}"
        self._dialler = Dialler(origin, now, tls)
        self._tls = tls if tls is not None and tls.changes and origin.scheme == "https" else None

    async def __call__(self, call: Call) -> Reply:
        """Send the call once over a pooled or new connection and return the reply, its body maybe still coming.

        A refusal of tidegate's own is no attempt.
        Raises: UpstreamFailed, DestinationRefused, DeadlineExceeded, BulkheadFull when no further connection may be
        opened, CredentialMissing where TLS needs a file that was never there.
        """
        begun_at = self._now()
        if begun_at >= call.deadline_at:
            raise DeadlineExceeded("the deadline of the call passed before it could be sent")
        if self._tls is not None:
            self._follow(self._tls)
            self._tls.require()
        connection = self._pool.take(begun_at, repeatable=call.method in IDEMPOTENT)
        if connection is None and not self._pool.reserve():
            raise BulkheadFull(self._full, retry_after_s=1.0)
        record = call.record
        if record.attempts:  # the phases are those of the last attempt
            record.dns_s = record.connect_s = record.tls_s = record.first_byte_s = record.body_s = 0.0
        record.attempts += 1
        record.attempt_at = begun_at
        try:
            if connection is None:
                connection = await self._dial(call)
            sent_at = self._now()
            reply = await connection.exchange(call)
        except BaseException:
            record.upstream_s += self._now() - begun_at
            raise
        answered_at = record.answered_at = self._now()
        record.first_byte_s = answered_at - sent_at
        record.upstream_s += answered_at - begun_at
        if self._reads_body(reply.status):
            return await self._judge_by_body(call, reply)
        reply.outcome = self._classify(reply.status, reply.headers)
        if reply.outcome is not _OK:
            self._note(call, reply)
        return reply

    async def _judge_by_body(self, call: Call, reply: Reply) -> Reply:
        streamed = reply.stream is not None
        try:
            beginning = await plain_beginning(reply)
            reply.outcome = self._classify(reply.status, reply.headers, beginning)
            if reply.outcome is not _OK:
                self._note(call, reply, beginning)
        except BaseException:  # cancelled: nobody else knows of the reply yet
            reply.discard()
            raise
        if streamed and reply.stream is None:  # its body ended here, where nobody else takes the time
            record = call.record
            record.body_s = self._now() - record.answered_at
            record.upstream_s += record.body_s
        return reply

    def _note(self, call: Call, reply: Reply, beginning: bytes = b"") -> None:
        if why := self._classify.why(reply.status, reply.headers, beginning):
            call.record.note(self._now(), "verdict", why)

    async def _dial(self, call: Call) -> Connection:
        origin, pool = self._origin, self._pool
        connection = Connection((origin.authority, origin.base_path), self._now, pool.put, pool.forget)
        try:
            await self._dialler.dial(connection, call)
        except BaseException:
            connection.close()
            raise
        return connection

    def _follow(self, tls: Tls) -> None:
        # Where a connection says who we are, a former name must not go on being used.
        if tls.renew():
            self._pool.retire()

    @property
    def missing(self) -> list[str]:
        """What keeps every connection from being made: files of TLS that were never there, or never usable."""
        if self._tls is None:
            return []
        self._follow(self._tls)
        return self._tls.missing

    @property
    def origin(self) -> Origin:
        """Where the provider is."""
        return self._origin

    def snapshot(self) -> dict[str, object]:
        """Tell where the provider is, how many connections are open and free, and when our certificate ends."""
        origin = self._origin
        state: dict[str, object] = {
            "origin": f"{origin.scheme}://{origin.authority.decode()}{origin.base_path.decode()}",
            "connections": self._pool.open,
            "idle": self._pool.idle,
        }
        if self._tls is not None:
            self._follow(self._tls)
            state |= self._tls.snapshot()
        return state

    def close(self) -> None:
        """Close free connections now, busy ones after their exchange."""
        self._pool.close()
