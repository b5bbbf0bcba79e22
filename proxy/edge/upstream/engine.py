"""Send: the bottom of every stack. Takes a call, returns the provider's reply with its verdict."""

from collections.abc import Callable
from typing import Protocol

from proxy.core.call import IDEMPOTENT, Call, Headers, Reply
from proxy.core.errors import BulkheadFull, DeadlineExceeded
from proxy.core.outcome import Outcome
from proxy.edge.upstream.dial import Dialler, Origin
from proxy.edge.upstream.http1 import Connection
from proxy.edge.upstream.pool import Pool, PoolConfig


class Classify(Protocol):
    """The one verdict on an answer."""

    def __call__(self, status: int, headers: Headers) -> Outcome:
        """Judge an answer by its status and headers."""


class Engine:
    """One provider's connections, and the handler that sends calls over them."""

    def __init__(self, origin: Origin, pool: PoolConfig, classify: Classify, now: Callable[[], float]) -> None:
        self._origin = origin
        self._classify = classify
        self._now = now
        self._pool = Pool(pool, now)
        self._full = f"all connections of this provider are in use; pool.max_connections is {pool.max_connections}"
        self._dialler = Dialler(origin, now)

    async def __call__(self, call: Call) -> Reply:
        """Send the call once over a pooled or new connection and return the reply, its body maybe still coming.

        Raises: UpstreamFailed, DestinationRefused, DeadlineExceeded, BulkheadFull when no further
        connection may be opened. A refusal of tidegate's own is no attempt.
        """
        begun_at = self._now()
        if begun_at >= call.deadline_at:
            raise DeadlineExceeded("the deadline of the call passed before it could be sent")
        connection = self._pool.take(begun_at, repeatable=call.method in IDEMPOTENT)
        if connection is None and not self._pool.reserve():
            raise BulkheadFull(self._full, retry_after_s=1.0)
        record = call.record
        if record.attempts:  # the phases are those of the last attempt
            record.dns_s = record.connect_s = record.tls_s = record.first_byte_s = record.body_s = 0.0
        record.attempts += 1
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
        reply.outcome = self._classify(reply.status, reply.headers)
        return reply

    async def _dial(self, call: Call) -> Connection:
        origin, pool = self._origin, self._pool
        connection = Connection((origin.authority, origin.base_path), self._now, pool.put, pool.forget)
        try:
            await self._dialler.dial(connection, call)
        except BaseException:
            connection.close()
            raise
        return connection

    def snapshot(self) -> dict[str, object]:
        """Tell where the provider is and how many connections are open and free."""
        origin = self._origin
        return {
            "origin": f"{origin.scheme}://{origin.authority.decode()}{origin.base_path.decode()}",
            "connections": self._pool.open,
            "idle": self._pool.idle,
        }

    def close(self) -> None:
        """Close free connections now, busy ones after their exchange."""
        self._pool.close()
