"""The body of an answer as it arrives, with backpressure towards the provider."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from proxy.core.call import Headers
from proxy.core.errors import CallerGone

HIGH_WATER_BYTES: Final = 64 * 1024


class Feeder(Protocol):
    """The connection behind a stream."""

    def pause(self) -> None:
        """Stop reading from the provider."""

    def resume(self) -> None:
        """Read on."""

    def close(self) -> None:
        """Close the connection."""


class ReplyStream:
    """A bounded buffer between the provider's connection and whoever reads the reply's body."""

    __slots__ = ("_callbacks", "_ended", "_error", "_feeder", "_paused", "_pieces", "_size", "_waiter", "trailers")

    def __init__(self, feeder: Feeder) -> None:
        self.trailers: Headers = []
        self._feeder = feeder
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._callbacks: list[Callable[[Exception | None], None]] = []

    @property
    def full(self) -> bool:
        """Say whether the reader is behind and the connection paused."""
        return self._paused

    def feed(self, piece: bytes) -> None:
        """Take the next piece; pauses the connection above the high-water mark."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= HIGH_WATER_BYTES and not self._paused:
            self._paused = True
            self._feeder.pause()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Take the end: complete (None) or cut short. The first end counts."""
        if self._ended:
            return
        self._ended, self._error = True, error
        self._wake()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(error)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self) -> bytes:
        """Return what has arrived since the last read, b"" at the end. See `core.call.Stream`."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            if not self._ended:  # else the connection may carry another exchange by now
                self._feeder.resume()
        return data

    def on_end(self, callback: Callable[[Exception | None], None]) -> None:
        """Call back once when the body has ended; at once when it already has."""
        if self._ended:
            callback(self._error)
        else:
            self._callbacks.append(callback)

    def abort(self) -> None:
        """Give up the rest: the connection can't be used again, because its next bytes belong to this body."""
        if not self._ended:
            self._feeder.close()
            self.end(CallerGone("the rest of the answer was given up"))
        self._pieces.clear()
