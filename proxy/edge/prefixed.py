"""A body stream of which the beginning was read already, and is given back to whoever reads next."""

import asyncio
from collections.abc import Callable

from proxy.core.call import Headers, Reply, Stream
from proxy.core.errors import TidegateError


class Prefixed:
    """The same bytes as the stream's from its first one; ends, fails and is given up as the stream is."""

    __slots__ = ("_beginning", "_rest")

    def __init__(self, beginning: bytes, rest: Stream) -> None:
        self._beginning = beginning
        self._rest = rest

    @property
    def trailers(self) -> Headers:
        """The fields behind the body."""
        return self._rest.trailers

    @trailers.setter
    def trailers(self, fields: Headers) -> None:
        self._rest.trailers = fields

    async def read(self) -> bytes:
        """Return what was read before, then what comes. See `core.call.Stream`."""
        beginning, self._beginning = self._beginning, b""
        return beginning or await self._rest.read()

    def on_end(self, callback: Callable[[Exception | None], None]) -> None:
        """Call back once when the body has ended."""
        self._rest.on_end(callback)

    def abort(self) -> None:
        """Give up the rest."""
        self._beginning = b""
        self._rest.abort()


async def beginning_of(reply: Reply, most_bytes: int, within_s: float) -> bytes:
    """Return the beginning of a reply's body, and leave the reply as if nothing had been read.

    Reads until there are more than `most_bytes`, the body ends or fails, or `within_s` seconds have passed. A body
    that has ended by then is whole in the reply; else all of what was read stands before the stream.
    Returns: what was read, which may be more than was asked for.
    """
    stream = reply.stream
    if stream is None:
        return reply.body
    pieces: list[bytes] = []
    left = most_bytes
    try:
        async with asyncio.timeout(within_s):
            while left >= 0 and (piece := await stream.read()):
                pieces.append(piece)
                left -= len(piece)
    except (TidegateError, TimeoutError):
        left = -1  # whoever reads on meets the same error
    beginning = b"".join(pieces)
    if left >= 0:
        reply.body, reply.trailers, reply.stream = beginning, stream.trailers, None
    elif beginning:
        reply.stream = Prefixed(beginning, stream)
    return beginning
