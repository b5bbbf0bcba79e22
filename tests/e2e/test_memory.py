import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, cast

import pytest

from tests.support.caller import request, run_on_uvloop
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.e2e

MIB: Final = 1024 * 1024
SIZE: Final = 256 * MIB
PIECE: Final = bytes(MIB)
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Prompt(asyncio.Protocol):
    """A provider that answers as soon as anything comes: fast enough to leave the work to the sidecar."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)


@asynccontextmanager
async def serving(tmp_path: Path, server: asyncio.Server) -> AsyncIterator[Sidecar]:
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        with Sidecar(tmp_path, {"acme": {"base_url": url}}) as sidecar:
            yield sidecar
        await asyncio.sleep(0.02)  # the loop hears that the sidecar is gone, and closes its ends


def memory(sidecar: Sidecar, key: str) -> int:
    """Return VmRSS (now) or VmHWM (the most ever), in bytes."""
    lines = Path(f"/proc/{sidecar.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def test_twenty_thousand_calls_leave_nothing_behind(tmp_path: Path) -> None:
    async def ask(sidecar: Sidecar, count: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", sidecar.port)
        batch = 50
        for start in range(0, count, batch):
            for number in range(start, start + batch):
                writer.write(request("GET", f"/acme/v1/things/{number}?page={number}", f"X-Number: {number}"))
            for _ in range(batch):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 ")
                await reader.readexactly(2)
        writer.close()

    async def scenario() -> None:
        server = await asyncio.get_running_loop().create_server(Prompt, "127.0.0.1", 0)
        async with serving(tmp_path, server) as sidecar:
            await ask(sidecar, 2000)
            before = memory(sidecar, "VmRSS")
            await asyncio.gather(*[ask(sidecar, 5000) for _ in range(4)])
            assert memory(sidecar, "VmRSS") - before < 16 * MIB

    run_on_uvloop(scenario(), 50)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_large_answer_passes_through_without_being_kept(tmp_path: Path, *, chunked: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        for _ in range(0, SIZE, len(PIECE)):
            writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
            await writer.drain()
        writer.write(b"0\r\n\r\n" * chunked)
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with serving(tmp_path, await asyncio.start_server(serve, "127.0.0.1", 0)) as sidecar:
            before = memory(sidecar, "VmHWM")
            reader, writer = await asyncio.open_connection("127.0.0.1", sidecar.port, limit=MIB)
            writer.write(request("GET", "/acme/", "Connection: close"))
            got = 0
            while piece := await reader.read(MIB):
                got += len(piece)
            assert got >= SIZE
            assert memory(sidecar, "VmHWM") - before < 32 * MIB
            writer.close()

    run_on_uvloop(scenario(), 40)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_large_request_passes_through_without_being_kept(tmp_path: Path, *, chunked: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        got, last = 0, b""
        while got < SIZE or (chunked and not last.endswith(b"0\r\n\r\n")):
            piece = await reader.read(MIB)
            got += len(piece)
            last = (last + piece)[-5:]
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with serving(tmp_path, await asyncio.start_server(serve, "127.0.0.1", 0, limit=MIB)) as sidecar:
            before = memory(sidecar, "VmHWM")
            reader, writer = await asyncio.open_connection("127.0.0.1", sidecar.port)
            framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {SIZE}"
            writer.write(request("PUT", "/acme/", framing))
            for _ in range(0, SIZE, len(PIECE)):
                writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
                await writer.drain()
            writer.write(b"0\r\n\r\n" * chunked)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            assert memory(sidecar, "VmHWM") - before < 32 * MIB
            writer.close()

    run_on_uvloop(scenario(), 40)
