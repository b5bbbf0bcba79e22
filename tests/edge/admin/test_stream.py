import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from proxy.edge.admin import stream as module
from proxy.edge.admin.app import admin_runner
from tests.support.admin import View
from tests.support.caller import Caller, request

pytestmark = pytest.mark.asyncio


class Counting(View):
    """Counts how often the state was put together; its clock is the loop's."""

    asked = 0

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def state(self) -> Mapping[str, object]:
        self.asked += 1
        if self.failing:
            raise RuntimeError("key sk_test_example refused")
        return {"nth": self.asked, **self.told}


class Reader(Caller):
    """Reads the events of one stream."""

    async def open(self, query: str = "") -> bytes:
        await self.send(request("GET", f"/api/stream{query}"))
        return await self.reader.readuntil(b"\r\n\r\n")

    async def event(self) -> tuple[str, Any]:
        """Return the next event's name and data; a comment's name is empty."""
        async with asyncio.timeout(5):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            piece = (await self.reader.readexactly(size + 2))[:-2].decode()
        assert piece.endswith("\n\n")
        name, _, data = piece.strip().removeprefix("event: ").partition("\ndata: ")
        return (name, json.loads(data)) if data else ("", name)


@asynccontextmanager
async def served(view: View) -> AsyncIterator[tuple[int, web.AppRunner]]:
    runner = admin_runner(view)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1], runner
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.02)


async def test_the_state_comes_at_once_and_again_and_says_how_it_may_be_used() -> None:
    async with served(Counting(told={"ready": True})) as (port, _), Reader(port) as reader:
        head = await reader.open("?only=state")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"Content-Type: text/event-stream\r\n" in head
        assert b"Cache-Control: no-store\r\n" in head
        assert b"Content-Security-Policy: default-src 'none'" in head
        assert [await reader.event() for _ in range(2)] == [
            ("state", {"nth": 1, "ready": True}),
            ("state", {"nth": 2, "ready": True}),
        ]


async def test_the_last_fifty_lines_come_first_and_then_what_is_new() -> None:
    view = Counting()
    view.recent.resize(1000)
    for number in range(60):
        view.recent.calls.add(b'{"n":%d}\n' % number)
    view.recent.changes.add(b'{"event":"breaker_changed"}\n')
    async with served(view) as (port, _), Reader(port) as reader:
        await reader.open("?only=calls,changes")
        first = await reader.reader.readuntil(b"\n\n")
        assert b"event: changes\ndata: [" in first
        name, calls = "calls", json.loads((await reader.reader.readuntil(b"\n\n")).partition(b"data: ")[2])
        assert [one["n"] for one in calls] == list(range(10, 60))
        await reader.reader.readuntil(b"\r\n")
        view.recent.calls.add(b'{"n":60}\n')
        assert await reader.event() == (name, [{"n": 60}])


async def test_who_falls_behind_gets_the_newest_two_hundred() -> None:
    view = Counting()
    view.recent.resize(1000)
    async with served(view) as (port, _), Reader(port) as reader:
        await reader.open("?only=calls")
        await asyncio.sleep(0.05)
        for number in range(300):
            view.recent.calls.add(b'{"n":%d}\n' % number)
        _, calls = await reader.event()
        assert [one["n"] for one in calls] == list(range(100, 300))


async def test_readers_share_one_encoding_and_nothing_is_asked_when_nobody_reads() -> None:
    view = Counting()
    async with served(view) as (port, _):
        await asyncio.sleep(0.1)
        assert view.asked == 0
        async with Reader(port) as one, Reader(port) as two:
            await one.open("?only=state")
            await two.open("?only=state")
            assert await one.event() == await two.event() == ("state", {"nth": 1})
        await asyncio.sleep(0.1)
        asked = view.asked
        await asyncio.sleep(0.2)
        assert view.asked == asked


async def test_secrets_are_taken_out_of_every_piece() -> None:
    view = Counting(told={"problem": "sk_test_example"})
    view.recent.calls.add(b'{"path":"/sk_test_example"}\n')
    async with served(view) as (port, _), Reader(port) as reader:
        await reader.open()
        text = await reader.reader.readuntil(b'[secret]"}]\n\n')
        assert text.count(b"[secret]") == 2
        assert b"sk_test_example" not in text


async def test_an_unknown_kind_and_a_stream_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STREAMS", 2)
    async with served(Counting()) as (port, _):
        async with Caller(port) as caller:
            assert (await caller.ask(request("GET", "/api/stream?only=state,weather"))).status == 400
            assert (await caller.ask(request("HEAD", "/api/stream"))).status == 405
        async with Reader(port) as one, Reader(port) as two:
            await one.open()
            await two.open()
            async with Caller(port) as three:
                answer = await three.ask(request("GET", "/api/stream"))
                assert (answer.status, json.loads(answer.body)["reason"]) == (503, "too_many_streams")
        await asyncio.sleep(0.1)  # until the server has seen that both left
        async with Reader(port) as four:
            assert (await four.open()).startswith(b"HTTP/1.1 200 ")


async def test_a_quiet_stream_says_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_TICKS", 2)
    async with served(Counting()) as (port, _), Reader(port) as reader:
        await reader.open("?only=changes")
        assert (await reader.event())[0] == ""


async def test_a_reader_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_S", 0.1)
    monkeypatch.setattr(module, "STATE_TICKS", 1)
    view = Counting(told={"much": "x" * 1_000_000})
    async with served(view) as (port, _), Reader(port) as reader:
        await reader.open("?only=state")
        reader.reader._transport.pause_reading()  # type: ignore[attr-defined]  # what a stopped process does
        await asyncio.sleep(0.7)
        asked = view.asked
        await asyncio.sleep(0.3)
        assert view.asked == asked


async def test_a_stream_ends_with_the_process_and_does_not_hold_it_up() -> None:
    view = Counting()
    async with served(view) as (port, runner), Reader(port) as reader:
        await reader.open("?only=state")
        await reader.event()
        async with asyncio.timeout(0.9):  # less than the server grants to requests under way
            await runner.cleanup()
        assert (await reader.rest())[0].endswith(b"0\r\n\r\n")


async def test_a_state_that_fails_ends_the_stream_and_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with served(Counting(failing=True)) as (port, _), Reader(port) as reader:
        await reader.open("?only=state")
        assert (await reader.rest())[0] == b""


async def test_a_protected_stream_asks_for_the_token() -> None:
    async with served(Counting(protect="all", token="example")) as (port, _), Caller(port) as caller:
        assert (await caller.ask(request("GET", "/api/stream"))).status == 401
        await caller.send(request("GET", "/api/stream", "Authorization: Bearer example"))
        assert (await caller.reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
