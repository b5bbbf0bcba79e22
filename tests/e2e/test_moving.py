import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar, free_port
from tests.support.wire import Script, Wire

pytestmark = pytest.mark.e2e

EVENTS: Script = [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
    0.4,
    b"4\r\nlast\r\n0\r\n\r\n",
]
Reload = Callable[..., Any]


@asynccontextmanager
async def serving(tmp_path: Path, *scripts: Script) -> AsyncIterator[tuple[Sidecar, Wire, Reload]]:
    """Start a sidecar; the third is a function that rewrites its file: `acme`'s own address, and the egress one."""
    async with Wire(*scripts) as wire:
        sidecar = Sidecar(tmp_path, {"acme": {"base_url": wire.url}})

        def reload(own: str | None = None, egress: str = "127.0.0.1:0") -> None:
            entry = {"base_url": wire.url} | ({"listen": own} if own else {})
            sidecar.write({"acme": entry}, {"egress": {"listen": egress}})
            sidecar.tell(signal.SIGHUP)

        with sidecar:
            yield sidecar, wire, reload


def is_open(port: int) -> Callable[[], bool]:
    def probe() -> bool:
        return f"{port:04X}" in {line.split()[1].split(":")[1] for line in listening()}

    return probe


def listening() -> list[str]:
    """Return the lines of /proc/net/tcp that tell a listening socket: asking by a connection would be a caller."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[3] == "0A"]


async def status(port: int, target: str) -> int:
    async with Caller(port) as caller:
        return (await caller.ask(request("GET", target))).status


def test_an_own_port_appears_and_vanishes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire, reload):
            port = free_port()
            reload(own=f"127.0.0.1:{port}")
            await wire.until(is_open(port))
            assert await status(port, "/v1") == 200
            assert await status(sidecar.port, "/acme/v1") == 200
            reload()
            await wire.until(lambda: not is_open(port)())
            assert await status(sidecar.port, "/acme/v1") == 200
            assert [one.target for one in wire.requests] == [b"/v1"] * 3

    run_on_uvloop(scenario())


def test_egress_moves_and_a_stream_on_the_old_address_ends_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, EVENTS) as (sidecar, wire, reload), Caller(sidecar.port) as caller:
            await caller.send(request("GET", "/acme/"))
            await caller.reader.readuntil(b"first\r\n")
            port = free_port()
            reload(egress=f"127.0.0.1:{port}")
            await wire.until(is_open(port))
            await wire.until(lambda: not is_open(sidecar.port)())
            assert await caller.rest() == (b"4\r\nlast\r\n0\r\n\r\n", "closed")
            assert await status(port, "/acme/") == 200

    run_on_uvloop(scenario())


def test_a_drain_waits_for_a_stream_on_an_address_that_was_given_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, EVENTS) as (sidecar, wire, reload), Caller(sidecar.port) as caller:
            await caller.send(request("GET", "/acme/"))
            await caller.reader.readuntil(b"first\r\n")
            reload(egress=f"127.0.0.1:{free_port()}")
            await wire.until(lambda: not is_open(sidecar.port)())
            sidecar.tell(signal.SIGTERM)
            assert await caller.rest() == (b"4\r\nlast\r\n0\r\n\r\n", "closed")
            assert await asyncio.to_thread(sidecar.process.wait, 10) == 0

    run_on_uvloop(scenario())


def test_a_move_to_an_address_in_use_is_refused_and_nothing_moves(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire, reload):
            own = free_port()
            reload(own=f"127.0.0.1:{own}", egress=f"127.0.0.1:{wire.port}")
            await wire.until(lambda: b'config_reloads_total{result="refused"} 1' in sidecar.admin("/metrics")[1])
            assert not is_open(own)()
            assert await status(sidecar.port, "/acme/") == 200
            (line,) = [one for one in sidecar.log(all_of_it=True) if one.get("result") == "refused"]
            assert "egress.listen: can't listen there: Address already in use" in line["problems"][0]

    run_on_uvloop(scenario())


def test_egress_moves_to_a_unix_socket_and_the_socket_vanishes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def scenario() -> None:
        async with serving(tmp_path) as (sidecar, wire, reload):
            reload(egress=f"unix:{path}")
            await wire.until(lambda: path.exists() and not is_open(sidecar.port)())
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(request("GET", "/acme/"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            writer.close()
            assert await asyncio.to_thread(sidecar.stop) == 0

    run_on_uvloop(scenario())
    assert not path.exists()
