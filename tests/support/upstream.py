"""An engine on a scripted wire, and bodies that come in pieces."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Literal

from proxy.core.call import Body, Reply
from proxy.core.profile import Profile
from proxy.edge.upstream.dial import Origin
from proxy.edge.upstream.engine import Engine
from proxy.edge.upstream.pool import PoolConfig
from proxy.edge.upstream.tls import Tls
from proxy.sansio.classify import Classifier
from tests.support.wire import Wire


def make_engine(wire: Wire, base_path: bytes = b"", pool: PoolConfig | None = None) -> Engine:
    """Return an engine that sends to the wire."""
    return engine_at(Origin("http", "127.0.0.1", wire.port, base_path), pool)


def engine_at(
    origin: Origin, pool: PoolConfig | None = None, now: Callable[[], float] = time.monotonic, tls: Tls | None = None
) -> Engine:
    """Return an engine that sends to an origin."""
    return Engine(origin, pool or PoolConfig(), Classifier(Profile()), now, tls)


def tls_engine(wire: Wire, tls: Tls) -> Engine:
    """Return an engine that sends to the wire by its name, with TLS."""
    return engine_at(Origin("https", "localhost", wire.port), tls=tls)


async def whole(reply: Reply) -> bytes:
    """Return the reply's body, read to its end."""
    data = reply.body
    while reply.stream is not None and (piece := await reply.stream.read()):
        data += piece
    return data


class PiecesBody(Body):
    """A body that the caller sends in pieces; with `hold` the last one comes once it is set.

    given: bytes handed out so far.
    """

    whole = None

    def __init__(self, *pieces: bytes, length: int | None = None, hold: asyncio.Event | None = None) -> None:
        self.length = length
        self.given = 0
        self._pieces = pieces
        self._hold = hold

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the pieces."""
        for number, piece in enumerate(self._pieces, 1):
            if self._hold is not None and number == len(self._pieces):
                await self._hold.wait()
            self.given += len(piece)
            yield piece

    def can_replay(self) -> bool:
        """Say no."""
        return False


class Transport(asyncio.Transport):
    """Takes what a connection writes, and remembers whether it was paused, closed or aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self.ended: Literal["", "closed", "aborted"] = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at
