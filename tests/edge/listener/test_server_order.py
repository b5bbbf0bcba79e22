"""Requests on one connection: one after the other, each answered once, and none left behind by a caller that leaves."""

import asyncio
from typing import Final

import pytest

from proxy.core.call import Call, Reply
from tests.support.answers import only, split
from tests.support.caller import run_on_uvloop
from tests.support.listening import engine_to, listening
from tests.support.script import Script, ScriptedStream
from tests.support.wire import HOLD, Wire

GET: Final = b"GET /up/x HTTP/1.1\r\nHost: localhost\r\n\r\n"


def target(number: int) -> bytes:
    return GET.replace(b"/x", b"/%d" % number)


class Held:
    """A provider that answers when it is let."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.cancelled = 0
        self.go_on = asyncio.Event()

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        call.record.attempts += 1
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Reply(200, b"", [(b"X-Target", call.target)], b"")


def test_requests_sent_together_are_answered_one_by_one_in_order() -> None:
    async def scenario() -> None:
        provider = Held()
        async with listening(provider) as listener, listener.caller() as caller:
            last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            await caller.send(b"".join(map(target, range(9))) + last)
            await listener.until(lambda: provider.calls)
            await asyncio.sleep(0.02)
            assert len(provider.calls) == 1
            provider.go_on.set()
            answered = split((await caller.rest())[0], ["GET"] * 10)
            assert [answer.values("x-target") for answer in answered] == [[b"/%d" % n] for n in range(9)] + [[b"/x"]]
            assert len(listener.calls) == 10

    run_on_uvloop(scenario())


def test_a_flood_of_requests_is_not_taken_in_while_the_first_is_served() -> None:
    async def scenario() -> None:
        provider = Held()
        async with listening(provider) as listener, listener.caller() as caller:
            sending = asyncio.create_task(caller.send(GET * 500_000))
            await listener.until(lambda: provider.calls)
            done, _ = await asyncio.wait([sending], timeout=0.2)
            assert not done  # 20 MB do not fit into what the kernel holds
            assert len(provider.calls) == 1
            sending.cancel()

    run_on_uvloop(scenario())


def test_a_good_request_is_answered_before_the_bad_one_behind_it() -> None:
    async def scenario() -> None:
        async with listening() as listener, listener.caller() as caller:
            assert (await caller.ask(GET)).status == 200
            await caller.send(b"\x00" + GET)
            said, end = await caller.rest()
            assert (only(said).status, end) == (400, "closed")

    run_on_uvloop(scenario())


@pytest.mark.parametrize("pipelined", [b"", GET])
def test_a_caller_that_leaves_cancels_its_call_at_once(pipelined: bytes) -> None:
    async def scenario() -> None:
        provider = Held()
        async with listening(provider) as listener:
            async with listener.caller() as caller:
                await caller.send(GET + pipelined)
                await listener.until(lambda: provider.calls)
            await listener.until(lambda: listener.calls)
            (event,) = listener.calls
            assert (event.reason, event.reply, provider.cancelled) == ("caller_gone", None, 1)
            await listener.until(lambda: not listener.egress.in_flight)
            assert len(provider.calls) == 1
            assert listener.crashed == []

    run_on_uvloop(scenario())


def test_a_caller_that_leaves_in_the_middle_of_a_stream_gives_it_up() -> None:
    async def scenario() -> None:
        class Endless(ScriptedStream):
            async def read(self) -> bytes:
                await asyncio.sleep(0.005)
                return b"data"

        stream = Endless()
        async with listening(Script(Reply(200, b"", [], b"", stream))) as listener:
            async with listener.caller() as caller:
                await caller.send(GET)
                await caller.reader.readuntil(b"data")
            await listener.until(lambda: listener.calls)
            assert stream.aborted
            assert [(ended.reason, ended.error) for ended in listener.calls] == [("", "caller_gone")]

    run_on_uvloop(scenario())


def test_a_caller_that_is_refused_while_it_sends_can_read_why() -> None:
    async def scenario() -> None:
        async with listening() as listener, listener.caller() as caller:
            head = b"POST /other/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n"
            await caller.send(head + b"x" * 5_000_000)
            said, _ = await caller.rest()
            assert said.startswith(b"HTTP/1.1 404 ")
            assert b"\r\nConnection: close\r\n" in said

    run_on_uvloop(scenario())


def test_connections_that_wait_are_known_and_those_at_work_are_not_among_them() -> None:
    async def scenario() -> None:
        provider = Held()
        async with listening(provider) as listener, listener.caller() as busy, listener.caller():
            await busy.send(GET)
            await listener.until(lambda: provider.calls and len(listener.server.connections) == 2)
            await listener.until(lambda: len(listener.server.idle()) == 1)
            provider.go_on.set()
            await listener.until(lambda: len(listener.server.idle()) == 2)

    run_on_uvloop(scenario())


@pytest.mark.parametrize(
    ("request_", "script"),
    [
        (GET, [HOLD]),
        (GET, [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", HOLD]),
        (b"POST /up/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\nabc", [HOLD]),
    ],
)
def test_the_provider_sees_at_once_that_the_caller_has_left(request_: bytes, script: list[bytes]) -> None:
    async def scenario() -> None:
        async with Wire(script) as wire, listening(engine_to(wire)) as listener:
            async with listener.caller() as caller:
                await caller.send(request_)
                await wire.until(lambda: wire.requests)
                if len(script) == 2:
                    await caller.reader.readuntil(b"abc")
            await wire.until(lambda: wire.open == 0)
            assert len(wire.requests) == 1
            await listener.until(lambda: listener.calls)

    run_on_uvloop(scenario())
