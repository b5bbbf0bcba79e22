"""A caller that speaks raw bytes on one connection, and hears exactly what came back."""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

import uvloop

from tests.support.framing import LIMIT, fields, read_chunked, read_head, values

Result = TypeVar("Result")


def run_on_uvloop(coro: Coroutine[Any, Any, Result], within_s: float = 20.0) -> Result:
    """Run a test's coroutine on the loop that the sidecar uses. Raises: TimeoutError."""

    async def bounded() -> Result:
        async with asyncio.timeout(within_s):
            return await coro

    return uvloop.run(bounded())


@dataclass
class Answer:
    """One answer. body: without chunk framing. trailers: raw lines. whole: False when the connection broke in it."""

    head: bytes
    body: bytes = b""
    trailers: bytes = b""
    whole: bool = True

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        return fields(self.head)

    def value(self, name: bytes) -> bytes | None:
        """Return the only value of a field, None when it is absent; fails when there are two."""
        found = values(self.head, name)
        assert len(found) < 2, found
        return found[0] if found else None


class Caller:
    """One connection to the sidecar, or to anything else that listens on a TCP port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LIMIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def ask(self, request: bytes) -> Answer:
        """Send a request and return its answer."""
        await self.send(request)
        return await self.answer(head_only=request.startswith(b"HEAD "))

    async def answer(self, *, head_only: bool = False) -> Answer:
        """Return the next answer, interim ones too.

        Raises: IncompleteReadError or ConnectionError when the connection ends before its head.
        """
        answer = Answer(await read_head(self.reader))
        if head_only or answer.status < 200 or answer.status in (204, 304):
            return answer
        lengths = values(answer.head, b"content-length")
        try:
            if values(answer.head, b"transfer-encoding"):
                answer.body, answer.trailers = await read_chunked(self.reader)
            elif lengths:
                answer.body = await self.reader.readexactly(int(lengths[0]))
            else:
                answer.body = await self.reader.read()
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            answer.body = getattr(error, "partial", b"")
            answer.whole = False
        return answer

    async def rest(self, within_s: float = 5.0) -> tuple[bytes, Literal["open", "closed", "reset"]]:
        """Return whatever else comes, and how the connection ended; `open` when it did not."""
        data = bytearray()
        try:
            async with asyncio.timeout(within_s):
                while piece := await self.reader.read(65536):
                    data += piece
        except TimeoutError:
            return bytes(data), "open"
        except ConnectionError:
            return bytes(data), "reset"
        return bytes(data), "closed"


def request(method: str, target: str, *lines: str, body: bytes = b"", port: int = 0) -> bytes:
    """Return a plain request to the sidecar; a body gets a Content-Length."""
    framing = (f"Content-Length: {len(body)}",) if body else ()
    host = f"Host: 127.0.0.1:{port}" if port else "Host: 127.0.0.1"
    return "\r\n".join((f"{method} {target} HTTP/1.1", host, *lines, *framing, "", "")).encode("latin-1") + body
