"""How a request body goes out, and what happens when the provider answers before it is all sent."""

import asyncio

import pytest

from proxy.core.call import Call, WholeBody
from proxy.core.errors import BodyTimeout, CallerGone, ConnectionDropped
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call
from tests.support.upstream import PiecesBody, make_engine, whole
from tests.support.wire import BODY, HOLD, RESET, Link, Script, Wire, reply

MIB = 1024 * 1024


def post(body: PiecesBody | WholeBody, **headers: str) -> Call:
    """Build a POST whose framing fields fit its body."""
    framing = {"Transfer-Encoding": "chunked"} if body.length is None else {"Content-Length": str(body.length)}
    return make_call("POST", headers={**headers, **framing}, body=body)


async def deaf(link: Link) -> None:
    """Stop taking bytes, so that the sender's buffers fill."""
    link.writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed for writing only


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (WholeBody(b"abc"), b"abc"),
        (WholeBody(b"abc", chunked=True), b"3\r\nabc\r\n0\r\n\r\n"),
        (WholeBody(b"", chunked=True), b"0\r\n\r\n"),
        (PiecesBody(b"ab", b"c", length=3), b"abc"),
        (PiecesBody(b"ab", b"c"), b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        (PiecesBody(), b"0\r\n\r\n"),
        (PiecesBody(b"x" * 17), b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"),
    ],
)
def test_a_body_goes_out_in_the_framing_that_the_caller_used(body: WholeBody | PiecesBody, sent: bytes) -> None:
    async def test() -> None:
        async with Wire() as wire:
            call = post(body)
            await make_engine(wire)(call)
            assert bytes(wire.links[0].received).partition(b"\r\n\r\n")[2] == sent
            assert call.record.request_bytes == len(wire.requests[0].body)

    run_on_uvloop(test())


def test_a_connection_carries_the_next_exchange_after_a_streamed_body() -> None:
    async def test() -> None:
        async with Wire() as wire:
            engine = make_engine(wire)
            for _ in range(3):
                await engine(post(PiecesBody(b"ab", b"c")))
            assert ([request.body for request in wire.requests], len(wire.links)) == ([b"abc"] * 3, 1)

    run_on_uvloop(test())


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ([b"HTTP/1.1 100 Continue\r\n\r\n", BODY, reply(201)], 201),
        ([reply(417, b"no", b"Connection: close"), HOLD, BODY], 417),
        ([reply(403, b"no"), HOLD, BODY], 403),
    ],
)
def test_a_caller_that_waits_for_100_hears_it_only_from_the_provider(script: Script, status: int) -> None:
    async def test() -> None:
        async with Wire(script) as wire:
            go_ahead = asyncio.Event()
            body = PiecesBody(b"abc", length=3, hold=go_ahead)
            call = post(body, Expect="100-continue")
            call.on_continue = go_ahead.set
            engine = make_engine(wire)
            got = await engine(call)
            assert (got.status, body.given) == (status, 3 if status == 201 else 0)
            if status != 201:  # the provider may still take the next bytes for the body
                await wire.until(lambda: wire.links[0].ended)
                assert engine.snapshot()["connections"] == 0

    run_on_uvloop(test())


def test_an_early_answer_is_delivered_and_its_connection_not_used_again() -> None:
    async def test() -> None:
        async with Wire([reply(413, b"too much"), HOLD, BODY], reply()) as wire:
            engine = make_engine(wire)
            got = await engine(post(PiecesBody(b"ab", b"cd", length=4, hold=asyncio.Event())))
            assert (got.status, await whole(got)) == (413, b"too much")
            await wire.until(lambda: wire.links[0].ended)
            await engine(make_call())
            assert len(wire.links) == 2

    run_on_uvloop(test())


def test_an_early_answer_ends_the_sending_although_the_provider_reads_nothing() -> None:
    async def test() -> None:
        async with Wire([deaf, reply(413, b"too much"), 10.0, BODY]) as wire:
            engine = make_engine(wire)
            body = PiecesBody(*[b"x" * 65536] * 1000, length=65536 * 1000)
            got = await engine(post(body))
            assert got.status == 413
            await wire.until(lambda: engine.snapshot()["connections"] == 0)
            given = body.given
            await asyncio.sleep(0.05)
            assert body.given == given < 65536 * 1000

    run_on_uvloop(test())


def test_an_early_answer_whose_body_goes_on_lets_the_sending_go_on() -> None:
    async def test() -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with Wire([head + b"2\r\nab\r\n", BODY, b"2\r\ncd\r\n0\r\n\r\n"]) as wire:
            go_on = asyncio.Event()
            got = await make_engine(wire)(post(PiecesBody(b"12", b"34", length=4, hold=go_on)))
            assert got.stream is not None
            assert await got.stream.read() == b"ab"
            go_on.set()
            assert await whole(got) == b"cd"
            assert wire.requests[0].body == b"1234"

    run_on_uvloop(test())


def test_a_provider_that_reads_slowly_slows_the_caller_down() -> None:
    async def test() -> None:
        async def listen(link: Link) -> None:
            await wire.until(read_on.is_set)
            link.writer.transport.resume_reading()  # type: ignore[attr-defined]  # typed for writing only

        read_on = asyncio.Event()
        async with Wire([deaf, listen, BODY, reply()]) as wire:
            body = PiecesBody(*[b"x" * 65536] * 1000, length=65536 * 1000)
            sending = asyncio.create_task(make_engine(wire)(post(body)))
            given = -1
            while given != body.given:
                given = body.given
                await asyncio.sleep(0.05)
            assert 0 < given < 32 * MIB  # what the two kernel buffers hold, and no more
            read_on.set()
            assert (await sending).status == 200
            assert len(wire.requests[0].body) == 65536 * 1000

    run_on_uvloop(test())


@pytest.mark.parametrize("error", [BodyTimeout("slow"), CallerGone("gone")])
def test_a_caller_that_fails_in_its_body_takes_the_connection_with_it(error: Exception) -> None:
    class Broken(PiecesBody):
        async def chunks(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as in PiecesBody
            yield b"ab"
            raise error

    async def test() -> None:
        async with Wire() as wire:
            engine = make_engine(wire)
            with pytest.raises(type(error)):
                await engine(post(Broken(length=4)))
            await wire.until(lambda: wire.links[0].ended)
            assert (wire.requests[0].whole, engine.snapshot()["connections"]) == (False, 0)

    run_on_uvloop(test())


def test_a_reset_while_the_body_is_being_sent_is_a_dropped_connection() -> None:
    async def test() -> None:
        async with Wire([0.02, RESET, BODY]) as wire:
            body = PiecesBody(*[b"x" * 65536] * 1000, length=65536 * 1000)
            with pytest.raises(ConnectionDropped):
                await make_engine(wire)(post(body))
            assert len(wire.requests) == 1

    run_on_uvloop(test())


@pytest.mark.parametrize("body", [WholeBody(b"abc"), PiecesBody(b"a", b"b", length=2, hold=asyncio.Event())])
def test_a_cancelled_call_closes_its_connection_at_once(body: WholeBody | PiecesBody) -> None:
    async def test() -> None:
        async with Wire([HOLD, BODY]) as wire:
            engine = make_engine(wire)
            sending = asyncio.create_task(engine(post(body)))
            await wire.until(lambda: wire.requests)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await wire.until(lambda: wire.links[0].ended, within_s=2.0)
            assert engine.snapshot()["connections"] == 0

    run_on_uvloop(test())
