"""How an exchange ends, and what must be true of its connection then, on a transport under the test's hand."""

import asyncio

import pytest

from proxy.core.errors import ConnectionDropped, DeadlineExceeded, ResponseTimeout
from proxy.edge.upstream.http1 import Connection
from proxy.edge.upstream.stream import HIGH_WATER_BYTES
from tests.support.script import make_call
from tests.support.upstream import PiecesBody, Transport, whole
from tests.support.virtual import run
from tests.support.wire import reply

LARGE = reply(200, b"x" * (HIGH_WATER_BYTES + 1))


class Bench:
    """One connection, connected. freed, lost: how often it told so."""

    def __init__(self) -> None:
        self.freed = self.lost = 0
        self.transport = Transport()
        now = asyncio.get_running_loop().time
        self.connection = Connection((b"acme", b""), now, self._free, self._lose)
        self.connection.connection_made(self.transport)

    def _free(self, _: Connection) -> None:
        self.freed += 1

    def _lose(self, _: Connection) -> None:
        self.lost += 1


def test_a_reader_that_fell_behind_at_the_very_end_does_not_leave_the_connection_paused() -> None:
    async def test() -> None:
        bench = Bench()
        exchange = asyncio.create_task(bench.connection.exchange(make_call()))
        await asyncio.sleep(0)
        bench.connection.data_received(LARGE[:100])
        first = await exchange
        bench.connection.data_received(LARGE[100:])  # fills the stream and ends the answer at once
        assert (bench.freed, bench.transport.reading) == (1, True)
        exchange = asyncio.create_task(bench.connection.exchange(make_call()))
        await asyncio.sleep(0)
        bench.connection.data_received(LARGE[:100])
        bench.connection.data_received(LARGE[100:-1])
        assert not bench.transport.reading
        assert len(await whole(first)) == HIGH_WATER_BYTES + 1
        assert not bench.transport.reading  # the first reader has no say any more
        second = await exchange
        second.discard()

    run(test())


def test_a_connection_that_was_lost_before_the_request_is_told_not_waited_for() -> None:
    async def test() -> None:
        bench = Bench()
        bench.connection.connection_lost(None)
        with pytest.raises(ConnectionDropped):
            await bench.connection.exchange(make_call())
        assert (bench.freed, bench.lost, bytes(bench.transport.written)) == (0, 1, b"")

    run(test())


def test_a_connection_tells_once_that_it_is_gone() -> None:
    async def test() -> None:
        bench = Bench()
        bench.connection.close()
        bench.connection.connection_lost(None)
        bench.connection.close()
        assert (bench.freed, bench.lost) == (0, 1)

    run(test())


def test_a_cancelled_exchange_takes_the_connection_with_it() -> None:
    async def test() -> None:
        bench = Bench()
        exchange = asyncio.create_task(bench.connection.exchange(make_call()))
        await asyncio.sleep(0)
        exchange.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchange
        assert (bench.freed, bench.lost, bench.transport.ended) == (0, 1, "aborted")

    run(test())


def test_a_cancellation_that_comes_after_the_answer_leaves_the_next_exchange_alone() -> None:
    async def test() -> None:
        bench = Bench()
        late = asyncio.create_task(bench.connection.exchange(make_call()))
        await asyncio.sleep(0)
        bench.connection.data_received(reply())
        late.cancel()  # the answer is there, the task has not run since
        second = asyncio.create_task(bench.connection.exchange(make_call()))
        with pytest.raises(asyncio.CancelledError):
            await late
        bench.connection.data_received(reply(200, b"second"))
        assert (await second).body == b"second"
        assert (bench.freed, bench.lost) == (2, 0)

    run(test())


def test_an_answer_that_overtakes_the_request_aborts_what_is_still_to_be_sent() -> None:
    async def test() -> None:
        bench = Bench()
        call = make_call("PUT", body=PiecesBody(b"ab", b"cd", b"ef", length=6))
        exchange = asyncio.create_task(bench.connection.exchange(call))
        bench.connection.pause_writing()  # the provider takes nothing
        await asyncio.sleep(1)
        assert bench.transport.written.endswith(b"\r\n\r\nab")
        bench.connection.data_received(reply(413))
        assert (await exchange).status == 413
        assert (bench.freed, bench.lost, bench.transport.ended) == (0, 1, "aborted")  # closing would wait for the rest
        bench.connection.resume_writing()  # as a transport may while it goes down
        await asyncio.sleep(1)
        assert bench.transport.written.endswith(b"\r\n\r\nab")

    run(test())


def test_a_provider_that_takes_nothing_of_a_body_is_given_up_after_the_idle_time() -> None:
    async def test() -> None:
        bench = Bench()
        call = make_call("PUT", body=PiecesBody(b"ab", b"cd", length=4))
        call.body_idle_s = 5.0
        exchange = asyncio.create_task(bench.connection.exchange(call))
        bench.connection.pause_writing()
        await asyncio.sleep(4.9)
        assert not exchange.done()
        await asyncio.sleep(0.2)
        with pytest.raises(ResponseTimeout):
            await exchange

    run(test())


def test_a_caller_that_sends_slowly_has_until_the_deadline() -> None:
    async def test() -> None:
        bench = Bench()
        call = make_call("PUT", body=PiecesBody(b"ab", b"cd", length=4, hold=asyncio.Event()))
        call.attempt_until = asyncio.get_running_loop().time() + 1.0  # begins once the request is out
        call.deadline_at = asyncio.get_running_loop().time() + 60.0
        exchange = asyncio.create_task(bench.connection.exchange(call))
        await asyncio.sleep(59.9)
        assert not exchange.done()
        await asyncio.sleep(0.2)
        with pytest.raises(DeadlineExceeded):
            await exchange

    run(test())
