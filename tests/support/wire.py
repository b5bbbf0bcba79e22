"""A provider on loopback that plays scripted bytes and records everything that it is sent.

    async with Wire(reply(200, b"hi"), [b"HTTP/1.1 200 OK\r\nContent-Le", RESET]) as wire:
        ... talk to wire.url ...
        assert [request.target for request in wire.requests] == [b"/a", b"/b"]

One script per exchange, in the order in which heads arrive, whatever the connection; the last one repeats.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, Self, SupportsIndex

from tests.support.framing import LIMIT, fields, read_body, read_head


class Act(Enum):
    """What a script can do besides sending bytes and waiting seconds."""

    BODY = "read the request's body; without this step it is read before the first one"
    CLOSE = "close; the rest of the script is not played"
    RESET = "close with a TCP reset"
    HALF_CLOSE = "end our side, read on"
    HOLD = "wait until the other side closes"


BODY, CLOSE, RESET, HALF_CLOSE, HOLD = Act.BODY, Act.CLOSE, Act.RESET, Act.HALF_CLOSE, Act.HOLD

Step = bytes | float | Act | Callable[["Link"], Awaitable[None]]
Script = bytes | Sequence[Step]


def reply(status: int = 200, body: bytes = b"ok", *lines: bytes) -> bytes:
    """Return a whole answer with Content-Length; `lines` are further header lines."""
    head = (b"HTTP/1.1 %d Scripted" % status, *lines, b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@dataclass
class Request:
    """What arrived as one request. body: without chunk framing. whole: whether all of it has arrived.

    at: monotonic instant of the head's arrival. link: number of the connection, from 0.
    """

    head: bytes
    link: int
    at: float
    body: bytes = b""
    whole: bool = False

    @property
    def method(self) -> bytes:
        return self.head.split(b" ", 1)[0]

    @property
    def target(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0].split(b" ")[1]

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        return fields(self.head)


class Link(asyncio.StreamReader):
    """One connection to the wire. received: every byte that came. ended: how the other side left, if it has."""

    writer: asyncio.StreamWriter

    def __init__(self, number: int) -> None:
        super().__init__(limit=LIMIT)
        self.number = number
        self.received = bytearray()
        self.ended: Literal["", "closed", "reset"] = ""
        self.gone = asyncio.Event()
        self.ours = False  # whether it was the script that ended it

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        data = bytes(data)
        self.received += data
        super().feed_data(data)

    def feed_eof(self) -> None:
        self.ended = self.ended or "closed"
        self.gone.set()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.ended = self.ended or "reset"
        self.gone.set()
        super().set_exception(exc)

    def reset(self) -> None:
        """Close with a TCP reset."""
        # On a duplicate, because uvloop's own socket object takes no options.
        with socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.ours = True
        self.writer.transport.abort()

    def close(self) -> None:
        """Close in the ordinary way."""
        self.ours = True
        self.writer.close()


class Wire:
    """The provider. greeting: played to every connection before anything is read; tls: serve TLS."""

    def __init__(self, *scripts: Script, greeting: Script = (), tls: ssl.SSLContext | None = None) -> None:
        self.links: list[Link] = []
        self.requests: list[Request] = []
        self.port = 0
        self._greeting = greeting
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.play(*(scripts or (reply(),)))

    def play(self, *scripts: Script) -> None:
        """Take other scripts; the first is for the next exchange."""
        self._scripts = scripts
        self._begun_at = len(self.requests)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """Connections that neither side has ended."""
        return sum(not (link.ended or link.ours) for link in self.links)

    async def until(self, condition: Callable[[], object], within_s: float = 10.0) -> None:
        """Wait until the condition holds. Raises: TimeoutError."""
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - any condition, not one that could set an event
                await asyncio.sleep(0.001)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", self.port, ssl=self._tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self.links:
            if hasattr(link, "writer"):
                link.writer.transport.abort()
        await asyncio.sleep(0.001)  # so that no transport outlives the loop

    def _accept(self) -> asyncio.Protocol:
        link = Link(len(self.links))
        self.links.append(link)
        return asyncio.StreamReaderProtocol(link, lambda _, writer: self._connected(link, writer))

    def _connected(self, link: Link, writer: asyncio.StreamWriter) -> None:
        link.writer = writer
        task = asyncio.get_running_loop().create_task(self._serve(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, link: Link) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._perform(link, self._greeting, None)
            while not link.ours:
                head = await read_head(link)
                request = Request(head, link.number, asyncio.get_running_loop().time())
                turn = len(self.requests) - self._begun_at
                self.requests.append(request)
                script = self._scripts[min(turn, len(self._scripts) - 1)]
                await self._perform(link, script, request)
        link.writer.close()

    async def _perform(self, link: Link, script: Script, request: Request | None) -> None:
        steps: Sequence[Step] = [script] if isinstance(script, bytes) else script
        if request is not None and BODY not in steps:
            steps = [BODY, *steps]
        for step in steps:
            if step is BODY and request is not None:
                request.body, request.whole = await read_body(link, request.head), True
            elif isinstance(step, bytes):
                link.writer.write(step)
                await link.writer.drain()
            elif isinstance(step, int | float):
                await asyncio.sleep(step)
            elif isinstance(step, Act):
                await _ACTS[step](link)
            else:
                await step(link)
            if link.ours:
                return


async def _close(link: Link) -> None:
    link.close()


async def _reset(link: Link) -> None:
    link.reset()


async def _half_close(link: Link) -> None:
    link.writer.write_eof()


async def _hold(link: Link) -> None:
    await link.gone.wait()


_ACTS: Final[dict[Act, Callable[[Link], Awaitable[None]]]] = {
    CLOSE: _close, RESET: _reset, HALF_CLOSE: _half_close, HOLD: _hold,
}  # fmt: skip


@contextlib.contextmanager
def in_thread(wire: Wire) -> Iterator[Wire]:
    """Run the wire on a loop of its own in a thread, for tests and clients that block."""
    started = threading.Event()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        async with wire:
            started.set()
            await done.wait()

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=work, name="wire", daemon=True)
    thread.start()
    if not started.wait(10):
        raise RuntimeError("the wire did not start")
    try:
        yield wire
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
