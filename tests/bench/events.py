"""Server-sent events: an upstream with many open streams, and a caller that reads them all and checks their order.

`python -m tests.bench.events serve PORT EVENTS` and `... listen URL STREAMS EVENTS`, which prints one line of JSON.
Event k of stream s is `id: k` and `data: s:k`. Every stream gets its first event at once and the others a second
apart, but only once all streams of the run are open: `?stream=s&of=STREAMS` tells how many there are.
"""

import asyncio
import json
import re
import sys
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

GAP_S = 1.0
OPEN_AT_ONCE = 100
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_TARGET = re.compile(rb"stream=(\d+)&of=(\d+)")


def event_text(stream: int, number: int) -> bytes:
    return b"id: %d\ndata: %d:%d\n\n" % (number, stream, number)


class Source(asyncio.Protocol):
    """The upstream's side of one stream."""

    def __init__(self, streams: "dict[int, Source]", all_open: asyncio.Event) -> None:
        self.streams = streams
        self.all_open = all_open
        self.data = b""
        self.stream = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.data += data
        target = _TARGET.search(self.data)
        if target is None or b"\r\n\r\n" not in self.data:
            return
        self.data = b""
        self.stream = int(target[1])
        self.streams[self.stream] = self
        self.transport.write(_HEAD)
        self.send(0)
        if len(self.streams) == int(target[2]):
            self.all_open.set()

    def send(self, number: int) -> None:
        text = event_text(self.stream, number)
        self.transport.write(b"%x\r\n%b\r\n" % (len(text), text))

    def end(self) -> None:
        self.transport.write(b"0\r\n\r\n")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.streams.pop(self.stream, None)


async def serve(port: int, events: int) -> None:
    streams: dict[int, Source] = {}
    all_open = asyncio.Event()
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Source(streams, all_open), "127.0.0.1", port, backlog=4096)
    while True:
        await all_open.wait()
        for number in range(1, events):
            await asyncio.sleep(GAP_S)
            for source in list(streams.values()):
                source.send(number)
        await asyncio.sleep(GAP_S)
        all_open.clear()
        for source in list(streams.values()):
            source.end()


class Listener(asyncio.Protocol):
    """The caller's side of one stream. Every event must be the one after the last."""

    def __init__(self, host: str, path: str, stream: int, of: int) -> None:
        self.request = (
            f"GET {path}?stream={stream}&of={of} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n"
        )
        self.stream = stream
        self.parser = httptools.HttpResponseParser(self)
        self.text = b""
        self.events = self.out_of_order = 0
        self.complete = False
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.request.encode())

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        *whole, self.text = (self.text + body).split(b"\n\n")
        for text in whole:
            self.out_of_order += text + b"\n\n" != event_text(self.stream, self.events)
            self.events += 1
        if whole and not self.opened.done():
            self.opened.set_result(None)

    def on_message_complete(self) -> None:
        self.complete = self.parser.get_status_code() == 200
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.opened, self.ended):
            if not future.done():
                future.set_result(None)


async def listen(url: str, streams: int, events: int) -> dict[str, int]:
    """Hold so many streams open at once and read them to their ends; tells what came and what did not."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(OPEN_AT_ONCE)

    async def opened(stream: int) -> Listener:
        async with gate:
            _, listener = await loop.create_connection(
                lambda: Listener(parts.netloc, parts.path, stream, streams), host, port
            )
            await listener.opened
            return listener

    listeners = await asyncio.gather(*map(opened, range(streams)))
    together = sum(not listener.ended.done() for listener in listeners)
    if together == streams:  # else the upstream waits for ever for those that could not be opened
        await asyncio.gather(*(listener.ended for listener in listeners))
    return {
        "open_together": together,
        "lost": sum(max(0, events - listener.events) for listener in listeners),
        "out_of_order": sum(listener.out_of_order for listener in listeners),
        "cut_short": sum(not listener.complete for listener in listeners),
    }


def main() -> None:
    if sys.argv[1] == "serve":
        uvloop.run(serve(int(sys.argv[2]), int(sys.argv[3])))
    else:
        report = uvloop.run(listen(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
        sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
