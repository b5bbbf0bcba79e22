import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.caller import Caller, request, run_on_uvloop
from tests.support.sidecar import Sidecar
from tests.support.wire import HOLD, Script, Wire, reply

pytestmark = pytest.mark.e2e

EVENTS: Script = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
    0.3,
    b"4\r\nlast\r\n0\r\n\r\n",
]
ENDLESS: Script = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n", HOLD]


@asynccontextmanager
async def serving(tmp_path: Path, script: Script, **settings: Any) -> AsyncIterator[tuple[Sidecar, Wire]]:
    async with Wire(script) as wire:
        with Sidecar(tmp_path, {"acme": {"base_url": wire.url}}, settings) as sidecar:
            yield sidecar, wire


async def begin(caller: Caller) -> None:
    """Ask, and wait for the first piece of the answer."""
    await caller.send(request("GET", "/acme/"))
    await caller.reader.readuntil(b"first\r\n")


async def ended(sidecar: Sidecar, within_s: float = 10.0) -> int:
    return await asyncio.to_thread(sidecar.process.wait, within_s)


def test_a_stream_ends_whole_and_then_the_process_with_0(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, EVENTS) as (sidecar, _), Caller(sidecar.port) as caller:
            await begin(caller)
            sidecar.tell(signal.SIGTERM)
            assert await caller.rest() == (b"4\r\nlast\r\n0\r\n\r\n", "closed")
            assert await ended(sidecar) == 0
            (line,) = [line for line in sidecar.log() if "drain" in line["event"]]
            assert line["in_flight"] == 1

    run_on_uvloop(scenario())


def test_readiness_fails_and_new_callers_are_still_served_for_drain_delay_and_then_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, EVENTS, drain_delay="500ms") as (sidecar, wire), Caller(sidecar.port) as caller:
            await begin(caller)
            sidecar.tell(signal.SIGTERM)
            await wire.until(lambda: sidecar.admin("/readyz")[0] == 503)
            assert b"draining" in sidecar.admin("/readyz")[1]
            assert sidecar.admin("/livez")[0] == 200
            async with Caller(sidecar.port) as late:
                assert (await late.ask(request("GET", "/acme/"))).body == b"firstlast"
                assert await late.rest() == (b"", "closed")
            assert await ended(sidecar) == 0
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", sidecar.port)

    run_on_uvloop(scenario())


def test_idle_callers_do_not_hold_it_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, reply()) as (sidecar, _), Caller(sidecar.port) as caller:
            assert (await caller.ask(request("GET", "/acme/"))).status == 200
            async with Caller(sidecar.port) as silent:
                sidecar.tell(signal.SIGTERM)
                assert await caller.rest() == (b"", "closed")
                assert (await silent.rest())[1] != "open"
            assert await ended(sidecar) == 0

    run_on_uvloop(scenario())


def test_a_stream_without_end_is_cut_after_drain_timeout_and_never_ended_cleanly(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = {"drain_timeout": "300ms"}
        async with serving(tmp_path, ENDLESS, **settings) as (sidecar, wire), Caller(sidecar.port) as caller:
            await begin(caller)
            sidecar.tell(signal.SIGTERM)
            data, end = await caller.rest()
            assert (data, end != "open") == (b"", True)
            assert await ended(sidecar) == 0
            await wire.until(lambda: wire.open == 0)

    run_on_uvloop(scenario())


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_now(tmp_path: Path, again: signal.Signals) -> None:
    async def scenario() -> None:
        settings = {"drain_timeout": "5m"}
        async with serving(tmp_path, ENDLESS, **settings) as (sidecar, wire), Caller(sidecar.port) as caller:
            await begin(caller)
            sidecar.tell(signal.SIGTERM)
            await wire.until(lambda: sidecar.admin("/readyz")[0] == 503)
            sidecar.tell(again)
            assert await ended(sidecar) == 0
            assert (await caller.rest())[0] == b""

    run_on_uvloop(scenario())


def test_a_reload_signal_on_the_way_down_ends_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, EVENTS) as (sidecar, wire), Caller(sidecar.port) as caller:
            await begin(caller)
            sidecar.tell(signal.SIGTERM)
            await wire.until(lambda: sidecar.admin("/readyz")[0] == 503)
            sidecar.tell(signal.SIGHUP)
            assert await caller.rest() == (b"4\r\nlast\r\n0\r\n\r\n", "closed")
            assert await ended(sidecar) == 0

    run_on_uvloop(scenario())


def test_a_slow_reader_gets_the_tail_of_its_answer(tmp_path: Path) -> None:
    size = 4 * 1024 * 1024

    async def scenario() -> None:
        async with serving(tmp_path, reply(200, b"x" * size)) as (sidecar, wire):
            reader, writer = await asyncio.open_connection("127.0.0.1", sidecar.port, limit=1024)
            writer.write(request("GET", "/acme/"))
            await reader.readuntil(b"\r\n\r\n")
            sidecar.tell(signal.SIGTERM)
            got = 0
            while piece := await reader.read(32 * 1024):
                got += len(piece)
                await asyncio.sleep(0.002)
            assert got == size
            assert await ended(sidecar) == 0
            writer.close()
            await wire.until(lambda: wire.open == 0)

    run_on_uvloop(scenario())
