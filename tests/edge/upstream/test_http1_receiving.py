"""How an answer's body comes in when its reader is slow, gives up or is cancelled, and how long it may take."""

import asyncio
import time

import pytest

from proxy.core.errors import DeadlineExceeded, ResponseTimeout
from proxy.core.outcome import Outcome
from proxy.edge.upstream.http1 import FAIR_TIME_S, Connection
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call
from tests.support.upstream import PiecesBody, Transport, make_engine, whole
from tests.support.virtual import run
from tests.support.wire import BODY, CLOSE, HOLD, Link, Script, Wire, reply

BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab"
SOON_S = 0.05


def test_a_slow_reader_pauses_the_provider_and_misses_nothing() -> None:
    async def test() -> None:
        written = 0
        total = 1000 * 65536

        async def pour(link: Link) -> None:
            nonlocal written
            while written < total:
                link.writer.write(b"x" * 65536)
                await link.writer.drain()
                written += 65536

        async with Wire([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total, pour], reply(200, b"next")) as wire:
            engine = make_engine(wire)
            got = await engine(make_call())
            before = -1
            while before != written:
                before = written
                await asyncio.sleep(SOON_S)
            assert before < total / 2  # what the kernel's buffers hold
            assert got.stream is not None
            most, read = 0, 0
            while piece := await got.stream.read():
                most, read = max(most, len(piece)), read + len(piece)
            assert read == total
            assert most <= 512 * 1024
            assert ((await engine(make_call())).body, len(wire.links)) == (b"next", 1)

    run_on_uvloop(test())


def test_giving_up_a_body_closes_the_connection_at_once() -> None:
    async def test() -> None:
        async with Wire([BEGUN, HOLD]) as wire:
            engine = make_engine(wire)
            got = await engine(make_call())
            got.discard()
            await wire.until(lambda: wire.links[0].ended, within_s=2.0)
            assert engine.snapshot()["connections"] == 0

    run_on_uvloop(test())


@pytest.mark.parametrize("script", [[HOLD], [b"HTTP/1.1 200 O", HOLD], [b"HTTP/1.1 100 Continue\r\n\r\n", HOLD]])
def test_silence_before_the_answer_is_a_timeout_of_the_attempt(script: Script) -> None:
    async def test() -> None:
        async with Wire(script) as wire:
            engine, call = make_engine(wire), make_call()
            call.attempt_until = time.monotonic() + SOON_S
            call.deadline_at = time.monotonic() + 60
            with pytest.raises(ResponseTimeout):
                await engine(call)
            await wire.until(lambda: wire.links[0].ended)
            assert engine.snapshot()["connections"] == 0

    run_on_uvloop(test())


def test_a_streamed_request_has_the_attempt_s_time_once_it_is_out() -> None:
    async def test() -> None:
        async with Wire([BODY, HOLD]) as wire:
            call = make_call("POST", body=PiecesBody(b"a"), headers={"Transfer-Encoding": "chunked"})
            call.attempt_until = time.monotonic() + SOON_S
            with pytest.raises(ResponseTimeout):
                await make_engine(wire)(call)
            assert wire.requests[0].whole

    run_on_uvloop(test())


def test_silence_in_the_middle_of_a_body_is_a_timeout_and_no_end() -> None:
    async def test() -> None:
        async with Wire([BEGUN, HOLD]) as wire:
            engine, call = make_engine(wire), make_call()
            call.body_idle_s = SOON_S
            got = await engine(call)
            with pytest.raises(ResponseTimeout):
                await whole(got)
            await wire.until(lambda: wire.links[0].ended)

    run_on_uvloop(test())


def test_a_body_may_take_longer_than_the_attempt_while_it_keeps_coming() -> None:
    async def test() -> None:
        drip = [step for _ in range(6) for step in (0.03, b"x")]
        async with Wire([b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", *drip], reply(200, b"next")) as wire:
            engine, call = make_engine(wire), make_call()
            call.attempt_until = time.monotonic() + 0.1
            call.body_idle_s = 5.0
            assert await whole(await engine(call)) == b"xxxxxx"
            assert (await engine(make_call())).body == b"next"

    run_on_uvloop(test())


@pytest.mark.parametrize("script", [[HOLD], [BEGUN, HOLD]])
def test_the_deadline_ends_a_call_wherever_it_is(script: Script) -> None:
    async def test() -> None:
        async with Wire(script) as wire:
            engine, call = make_engine(wire), make_call()
            call.deadline_at = call.attempt_until = time.monotonic() + SOON_S
            with pytest.raises(DeadlineExceeded) as caught:
                await whole(await engine(call))
            assert caught.value.outcome is Outcome.IGNORED  # it had no fair time
            await wire.until(lambda: wire.links[0].ended)

    run_on_uvloop(test())


def connect() -> Connection:
    """Return a connection to a provider that never answers by itself, on the virtual loop."""
    connection = Connection((b"acme", b""), asyncio.get_running_loop().time, lambda _: None, lambda _: None)
    connection.connection_made(Transport())
    return connection


@pytest.mark.parametrize("attempt", [True, False])  # without the timeout policy nothing bounds the attempt
@pytest.mark.parametrize(("seconds", "outcome"), [(FAIR_TIME_S - 0.1, Outcome.IGNORED), (FAIR_TIME_S, Outcome.FAILED)])
def test_a_deadline_counts_against_the_provider_only_when_it_had_a_fair_time(
    seconds: float, outcome: Outcome, attempt: bool
) -> None:
    async def test() -> None:
        now = asyncio.get_running_loop().time
        call = make_call()
        call.deadline_at = now() + seconds
        if attempt:
            call.attempt_until = call.deadline_at
        with pytest.raises(DeadlineExceeded, match="before the provider began") as caught:
            await connect().exchange(call)
        assert caught.value.outcome is outcome
        assert now() == pytest.approx(call.deadline_at, abs=0.01)

    run(test())


@pytest.mark.parametrize(
    ("sent_after_s", "outcome"),
    [
        (9.9, Outcome.IGNORED),  # the caller took nearly all of the time
        (9.9 - FAIR_TIME_S, Outcome.FAILED),
        (60.0, Outcome.IGNORED),  # the caller took all of it
    ],
)
def test_the_time_in_which_a_caller_sends_its_body_is_not_the_provider_s(sent_after_s: float, outcome: Outcome) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        last = asyncio.Event()
        timer = loop.call_later(sent_after_s, last.set)
        call = make_call("POST", body=PiecesBody(b"a", b"b", length=2, hold=last))
        call.deadline_at = call.attempt_until = loop.time() + 10.0
        with pytest.raises(DeadlineExceeded) as caught:
            await connect().exchange(call)
        assert caught.value.outcome is outcome
        assert loop.time() == pytest.approx(call.deadline_at, abs=0.01)
        timer.cancel()
        await asyncio.sleep(0)  # so that the sender ends

    run(test())


def test_a_deadline_in_the_middle_of_an_answer_says_nothing_about_the_provider() -> None:
    async def test() -> None:
        connection, call, loop = connect(), make_call(), asyncio.get_running_loop()
        call.deadline_at = call.attempt_until = loop.time() + 10.0
        loop.call_later(5.0, connection.data_received, BEGUN)
        got = await connection.exchange(call)
        with pytest.raises(DeadlineExceeded, match="in the middle of the answer") as caught:
            await whole(got)
        assert caught.value.outcome is Outcome.IGNORED

    run(test())


def test_a_slow_reader_is_not_taken_for_a_slow_provider() -> None:
    async def test() -> None:
        body = b"x" * 8_000_000
        async with Wire(reply(200, body)) as wire:
            engine, call = make_engine(wire), make_call()
            call.body_idle_s = 0.03
            got = await engine(call)
            assert got.stream is not None
            await asyncio.sleep(0.15)
            assert await whole(got) == body

    run_on_uvloop(test())


def test_the_end_of_the_connection_is_heard_although_the_reader_is_behind() -> None:
    async def test() -> None:
        body = b"x" * 1_000_000
        async with Wire([b"HTTP/1.1 200 OK\r\n\r\n" + body, CLOSE]) as wire:
            got = await make_engine(wire)(make_call())
            await asyncio.sleep(SOON_S)
            assert await whole(got) == body

    run_on_uvloop(test())
