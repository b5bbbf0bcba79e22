"""A caller's request as the listener sees it, and the way back to its socket."""

import asyncio
from typing import Protocol

from aiohttp import HttpVersion, StreamReader
from aiohttp.http import RawRequestMessage

from proxy.core.call import Header
from proxy.core.errors import CallerGone


class Caller(Protocol):
    """The connection that a request came in on."""

    transport: asyncio.Transport | None

    @property
    def writing_paused(self) -> bool:
        """Whether the caller reads more slowly than we write."""

    async def drain(self) -> None:
        """Wait until the caller has caught up; raises ConnectionError when it leaves."""

    def abort(self) -> None:
        """Reset the connection; harmless when it is closed."""


class Request:
    """A request whose head has come.

    raw_path: the target as on the wire (surrogate escapes for bytes that are not UTF-8). raw_headers: the fields
    in order. content: the body as it arrives. keep_alive: the caller wants the connection to stay.
    """

    __slots__ = ("connection", "content", "keep_alive", "method", "raw_headers", "raw_path", "version")

    def __init__(self, message: RawRequestMessage, content: StreamReader, connection: Caller) -> None:
        self.method: str = message.method
        self.raw_path: str = message.path
        self.raw_headers: tuple[Header, ...] = message.raw_headers
        self.version: HttpVersion = message.version
        self.keep_alive = not (message.should_close or message.upgrade)  # no protocol is switched to here
        self.content = content
        self.connection = connection

    @property
    def transport(self) -> asyncio.Transport | None:
        """The caller's socket, None once it has left."""
        return self.connection.transport

    @property
    def behind(self) -> bool:
        """Whether the caller reads more slowly than we write."""
        return self.connection.writing_paused

    def abort(self) -> None:
        """Reset the connection: an answer that has begun can't be taken back, and must not look whole."""
        self.connection.abort()

    async def drained(self, idle_s: float) -> None:
        """Wait until the caller has caught up.

        Raises: CallerGone when it reads nothing for `idle_s` seconds, or leaves.
        """
        try:
            async with asyncio.timeout(idle_s):
                await self.connection.drain()
        except TimeoutError:
            raise CallerGone(f"the caller read nothing for {idle_s:g} s") from None
        except ConnectionError:
            raise CallerGone("the caller closed its connection in the middle of the answer") from None
