"""Callers that leave while their body is held back, and answers that the end of the process cuts."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from proxy.core.call import Call, Reply
from tests.support.caller import run_on_uvloop
from tests.support.listening import Listening, listening
from tests.support.script import Script, ScriptedStream

GET: Final = b"GET /up/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
FULL: Final = 32 * 1024 * 1024
"""More than the kernel keeps."""
HELD: Final = 700_000
"""More than the listener reads ahead; its rest fits into what the kernel keeps."""


async def never(_: Call) -> Reply:
    """Wait as a limiter does, without reading the body."""
    await asyncio.sleep(60.0)
    raise AssertionError


def post(size: int) -> bytes:
    return b"POST /up/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


def test_a_caller_that_leaves_while_its_body_is_held_back_cancels_its_call() -> None:
    async def scenario() -> None:
        async with listening(never) as listener, listener.caller() as stays, listener.caller() as leaves:
            sending = [asyncio.create_task(one.send(post(HELD))) for one in (stays, leaves)]
            await listener.until(lambda: listener.egress.in_flight == 2)
            await asyncio.sleep(1.2)
            assert listener.egress.in_flight == 2
            leaves.writer.transport.abort()
            await listener.until(lambda: listener.egress.in_flight == 1)
            assert [(ended.reason, ended.reply) for ended in listener.calls] == [("caller_gone", None)]
            for task in sending:
                task.cancel()
        assert listener.crashed == []

    run_on_uvloop(scenario())


def test_a_held_body_that_goes_on_is_no_sign_of_leaving() -> None:
    async def scenario() -> None:
        async def late(call: Call) -> Reply:
            await asyncio.sleep(1.2)
            return Reply(200, b"", [], b"%d" % sum([len(piece) async for piece in call.body.chunks()]))

        async with listening(late) as listener, listener.caller() as caller:
            sending = asyncio.create_task(caller.send(post(FULL)))
            assert (await caller.answer()).body == b"%d" % FULL
            await sending

    run_on_uvloop(scenario())


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_an_answer_that_is_cut_at_the_end_is_reset_and_told_and_idle_callers_are_let_go(version: bytes) -> None:
    async def scenario() -> None:
        class Held(ScriptedStream):
            async def read(self) -> bytes:
                return await super().read() if self._pieces else await asyncio.sleep(60.0, b"")

        async with (
            listening(Script(200, Reply(200, b"", [], b"", Held(b"abc")))) as listener,
            listener.caller() as caller,
            listener.caller() as idle,
        ):
            await idle.ask(GET)
            await caller.send(GET.replace(b"1.1", version))
            await caller.reader.readuntil(b"abc")
            await listener.server.reset_busy()
            assert [ended.error for ended in listener.calls] == ["", "caller_gone"]
            await listener.server.shutdown(0.1)
            assert [(await one.rest())[1] for one in (caller, idle)] == ["reset", "closed"]

    run_on_uvloop(scenario())


@pytest.mark.parametrize("closing", [False, True])
def test_an_answer_whose_call_is_over_but_which_has_not_all_left_is_reset_too(closing: bool) -> None:
    async def scenario() -> None:
        reply = Reply(200, b"", [(b"Content-Length", b"40000")], b"x" * 40_000)
        async with listening(Script(reply)) as listener, slow_caller(listener.port) as slow:
            loop, asked = asyncio.get_running_loop(), 0
            while not unsent(listener):
                await loop.sock_sendall(slow, GET)
                asked += 1
                await listener.until(lambda: len(listener.calls) == asked)  # noqa: B023
            if closing:
                for one in listener.server.idle():
                    one.force_close()
            await listener.server.reset_busy()
            assert await end_of(slow) == "reset"

    run_on_uvloop(scenario())


@asynccontextmanager
async def slow_caller(port: int) -> AsyncIterator[socket.socket]:
    """Connect a caller that takes next to nothing in until it reads."""
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(slow, ("127.0.0.1", port))
        yield slow


async def end_of(slow: socket.socket) -> str:
    """Read to the end; return how it came."""
    try:
        while await asyncio.get_running_loop().sock_recv(slow, 65536):
            pass
    except ConnectionResetError:
        return "reset"
    return "closed"


def unsent(listener: Listening) -> int:
    transports = [connection.transport for connection in listener.server.connections]
    return sum(transport.get_write_buffer_size() for transport in transports if transport is not None)
