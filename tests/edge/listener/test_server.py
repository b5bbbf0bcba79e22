"""What one caller may take: connections, time, size. What stays in order whatever it does: test_server_order.py."""

import asyncio
import logging
from typing import Final

import aiohttp.http_parser
import pytest

from proxy.core.call import Call, Reply
from proxy.core.errors import HeadTimeout
from proxy.core.events import CallEnded, RequestRefused
from proxy.edge.listener.server import Bounds, Server
from tests.support.answers import only
from tests.support.caller import Caller, run_on_uvloop
from tests.support.listening import BOUNDS, listening
from tests.support.script import Script

GET: Final = b"GET /up/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
HASTY: Final = Bounds(connections=100, header_s=0.2, idle_s=5.0)
IMPATIENT: Final = Bounds(connections=100, header_s=5.0, idle_s=0.2)


def test_one_connection_too_many_is_told_so_and_the_others_go_on() -> None:
    async def scenario() -> None:
        bounds = Bounds(2, 5.0, 5.0)
        async with listening(bounds=bounds) as listener, listener.caller() as one, listener.caller() as two:
            assert (await one.ask(GET)).status == 200
            assert (await two.ask(GET)).status == 200
            answer = await listener.ask(b"")
            assert (answer.status, answer.problem["reason"], answer.closes) == (503, "bulkhead_full", True)
            assert answer.values("retry-after") == [b"1"]
            assert (await one.ask(GET)).status == 200
            assert [event for event in listener.events if isinstance(event, RequestRefused)] == [
                RequestRefused("bulkhead_full", 503)
            ]

    run_on_uvloop(scenario())


def test_a_place_that_is_free_again_is_given_again() -> None:
    async def scenario() -> None:
        async with listening(bounds=Bounds(1, 5.0, 5.0)) as listener:
            for _ in range(5):
                async with listener.caller() as caller:
                    assert (await caller.ask(GET)).status == 200
                await listener.until(lambda: not listener.server.connections)

    run_on_uvloop(scenario())


@pytest.mark.parametrize("before", [b"", GET])
@pytest.mark.parametrize("start", [b"G", b"GET /up/x HTTP/1.1\r\n", GET[:-2]])
def test_a_head_that_does_not_come_is_given_up(before: bytes, start: bytes) -> None:
    async def scenario() -> None:
        async with listening(bounds=HASTY) as listener, listener.caller() as caller:
            if before:
                assert (await caller.ask(before)).status == 200
            await caller.send(start)
            said, end = await caller.rest()
            answer = only(said)
            assert (answer.status, answer.problem["reason"], end) == (408, "request_timeout", "closed")
            assert answer.closes
            assert listener.events[-1] == RequestRefused(HeadTimeout.reason, 408)

    run_on_uvloop(scenario())


def test_a_head_that_drips_is_given_up_all_the_same() -> None:
    async def scenario() -> None:
        async with listening(bounds=HASTY) as listener, listener.caller() as caller:
            ended = asyncio.create_task(caller.rest())
            await caller.send(GET[:-2])
            while not ended.done():
                await caller.send(b"X: 1\r\n")
                await asyncio.sleep(0.02)
            assert ended.result()[0].startswith(b"HTTP/1.1 408 ")

    run_on_uvloop(scenario())


def test_a_head_that_comes_in_time_in_pieces_is_served() -> None:
    async def scenario() -> None:
        async with listening() as listener, listener.caller() as caller:
            for place in range(len(GET)):
                await caller.send(GET[place : place + 1])
                await asyncio.sleep(0)
            assert (await caller.answer()).status == 200

    run_on_uvloop(scenario())


@pytest.mark.parametrize("before", [b"", GET])
def test_a_caller_that_says_nothing_is_let_go_without_a_word(before: bytes) -> None:
    async def scenario() -> None:
        async with listening(bounds=IMPATIENT) as listener, listener.caller() as caller:
            if before:
                assert (await caller.ask(before)).status == 200
            assert await caller.rest() == (b"", "closed")

    run_on_uvloop(scenario())


def test_neither_time_runs_while_a_request_is_served() -> None:
    async def scenario() -> None:
        async def slow(call: Call) -> Reply:
            await asyncio.sleep(0.3)
            return Reply(200, b"", [], b"late")

        async with listening(slow, bounds=Bounds(9, 0.1, 0.1)) as listener, listener.caller() as caller:
            assert (await caller.ask(GET)).body == b"late"

    run_on_uvloop(scenario())


@pytest.mark.parametrize(
    "head",
    [
        b"GET /up/" + b"x" * 17_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        GET[:-2] + b"X: " + b"x" * 17_000 + b"\r\n\r\n",
        GET[:-2] + b"x" * 17_000 + b": 1\r\n\r\n", GET[:-2] + b"X: 1\r\n" * 128 + b"\r\n",
        GET[:-2] + b"X: " + b"x" * 10**6,
        b"x" * 10**6, GET[:-2] + b"".join(b"X: %b\r\n" % (b"x" * 9000) for _ in range(100)),
    ],
)  # fmt: skip
def test_a_head_that_is_too_large_is_refused(head: bytes) -> None:
    async def scenario() -> None:
        provider = Script(200)
        async with listening(provider) as listener, listener.caller() as caller:
            await caller.send(head)
            said, _ = await caller.rest()
            assert said.startswith(b"HTTP/1.1 400 ") or said == b""  # the reset may overtake the answer
            assert provider.sends == []

    run_on_uvloop(scenario())


@pytest.mark.parametrize(
    ("head", "limit"),
    [
        (GET.replace(b"/x ", b"/" + b"x" * 17_000 + b" "), "16 KiB"), (GET[:-2] + b"X: " + b"x" * 17_000, "16 KiB"),
        (GET[:-2] + b"x" * 17_000 + b": 1", "16 KiB"), (GET[:-2] + b"X: 1\r\n" * 128 + b"\r\n", "128 header fields"),
        (GET[:-2] + b"".join(b"X: %b\r\n" % (b"x" * 9000) for _ in range(8)), "64 KiB"),
        (GET[:-2] + b"X\x00: 1\r\n\r\n", "not valid HTTP/1.1"),
    ],
)  # fmt: skip
def test_the_refusal_of_a_head_names_the_limit(head: bytes, limit: str) -> None:
    async def scenario() -> None:
        async with listening() as listener, listener.caller() as caller:
            detail = str(only(await sent_and_heard(caller, head)).problem["detail"])
            assert limit in detail
            assert "xxx" not in detail

    run_on_uvloop(scenario())


async def sent_and_heard(caller: Caller, data: bytes) -> bytes:
    await caller.send(data)
    return (await caller.rest())[0]


@pytest.mark.parametrize("size", [15_000, 127])
def test_a_large_head_is_served(size: int) -> None:
    lines = b"X: 1\r\n" * size if size == 127 else b"X: " + b"x" * size + b"\r\n"

    async def scenario() -> None:
        async with listening() as listener, listener.caller() as caller:
            assert (await caller.ask(GET[:-2] + lines + b"\r\n")).status == 200

    run_on_uvloop(scenario())


def test_what_is_no_http_is_refused_told_and_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with listening() as listener:
            hello = b"\x16\x03\x01\x02\x00\x01\x00"
            for data in (hello + b"sk_test_example\r\n\r\n", GET[:-2] + b"X\x00: sk_test_example\r\n\r\n"):
                answer = await listener.ask(data)
                assert (answer.status, answer.problem["reason"], answer.closes) == (400, "bad_request", True)
                assert answer.values("x-request-id") == [str(answer.problem["request_id"]).encode()]
                assert answer.values("tidegate-source") == [b"sidecar"]
                assert answer.values("tidegate-attempts") == [b"0"]
                assert b"sk_test_example" not in answer.body
            assert listener.events == [RequestRefused("bad_request", 400)] * 2

    with caplog.at_level(logging.DEBUG):
        run_on_uvloop(scenario())
    assert "sk_test_example" not in caplog.text


def test_new_bounds_hold_for_new_connections() -> None:
    async def scenario() -> None:
        async with listening(bounds=BOUNDS) as listener, listener.caller() as old:
            assert (await old.ask(GET)).status == 200
            listener.server.bounds = IMPATIENT
            async with listener.caller() as new:
                assert await new.rest() == (b"", "closed")
            assert (await old.ask(GET)).status == 200

    run_on_uvloop(scenario())


def test_the_parser_written_in_python_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiohttp.http_parser, "HttpRequestParser", aiohttp.http_parser.HttpRequestParserPy)

    async def scenario() -> None:
        with pytest.raises(RuntimeError, match="C parser"):
            Server(lambda _: asyncio.sleep(0, result=True), BOUNDS, lambda _: b"")

    run_on_uvloop(scenario())


def test_every_event_of_a_request_is_a_call_or_a_refusal() -> None:
    async def scenario() -> None:
        async with listening() as listener:
            await listener.ask(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            await listener.ask(b"\x00\r\n\r\n")
            assert [type(event) for event in listener.events] == [CallEnded, RequestRefused]

    run_on_uvloop(scenario())


def test_idle_connections_are_closed_and_neither_one_in_a_head_nor_one_whose_request_has_just_come() -> None:
    async def scenario() -> None:
        async with (
            listening() as listener,
            listener.caller() as idle,
            listener.caller() as slow,
            listener.caller() as quick,
        ):
            for one in (idle, slow, quick):
                assert (await one.ask(GET)).status == 200
            await slow.send(GET[:-2])
            await listener.until(lambda: len(listener.server.idle()) == 2)
            quick.writer.write(GET)  # it is with the kernel, and the server has not read it yet
            listener.server.close_idle()
            assert await idle.rest() == (b"", "closed")
            assert (await quick.answer()).status == 200
            await slow.send(b"\r\n")
            assert (await slow.answer()).status == 200

    run_on_uvloop(scenario())
