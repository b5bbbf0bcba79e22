"""A wire tap: passes bytes on between a client and a server, and keeps a copy of both directions."""

import asyncio
import contextlib
import threading
from typing import Self


class Tap:
    """Stands in front of a TCP port of this machine, in a thread of its own.

    sent: all that clients sent, received: all that they got; several connections stand mixed in both.
    streams: what clients sent, by connection.
    """

    def __init__(self, port: int) -> None:
        self.sent = bytearray()
        self.received = bytearray()
        self.streams: list[bytearray] = []
        self.port = 0
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._done = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tap", daemon=True)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"

    def clear(self) -> None:
        """Forget what was copied so far."""
        self.sent.clear()
        self.received.clear()
        for stream in self.streams:
            stream.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the tap did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(10)

    def _work(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # cancels what is still open
            runner.run(self._listen())

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._done.wait()
        server.close()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection("127.0.0.1", self._target)
        stream = bytearray()
        self.streams.append(stream)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(_copy(near, forth, self.sent, stream), _copy(far, back, self.received))
        for writer in (back, forth):
            writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *kept: bytearray) -> None:
    try:
        while data := await reader.read(65536):
            for copy in kept:
                copy.extend(data)
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        writer.transport.abort()
    else:
        writer.close()
