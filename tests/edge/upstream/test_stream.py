import asyncio

import pytest

from proxy.core.errors import CallerGone, ConnectionDropped
from proxy.edge.upstream.stream import HIGH_WATER_BYTES, ReplyStream
from tests.support.virtual import run


class Feeder:
    """Remembers what the stream asked of its connection."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")

    def close(self) -> None:
        self.asked.append("close")


def test_pieces_that_wait_are_read_together_and_the_end_is_empty() -> None:
    async def test() -> None:
        stream = ReplyStream(Feeder())
        stream.feed(b"ab")
        stream.feed(b"cd")
        assert await stream.read() == b"abcd"
        stream.feed(b"ef")
        stream.end()
        assert [await stream.read(), await stream.read(), await stream.read()] == [b"ef", b"", b""]

    run(test())


def test_a_reader_is_woken_by_a_piece_and_by_the_end() -> None:
    async def test() -> None:
        stream = ReplyStream(Feeder())
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(1)
        assert not reading.done()
        stream.feed(b"ab")
        assert await reading == b"ab"
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(1)
        stream.end()
        assert await reading == b""

    run(test())


def test_what_arrived_before_a_cut_is_read_before_the_error() -> None:
    async def test() -> None:
        stream = ReplyStream(Feeder())
        stream.feed(b"ab")
        stream.end(ConnectionDropped("cut"))
        assert await stream.read() == b"ab"
        for _ in range(2):
            with pytest.raises(ConnectionDropped):
                await stream.read()

    run(test())


def test_the_provider_is_paused_at_the_mark_and_resumed_once_by_the_reader() -> None:
    async def test() -> None:
        feeder = Feeder()
        stream = ReplyStream(feeder)
        stream.feed(b"x" * (HIGH_WATER_BYTES - 1))
        assert (feeder.asked, stream.full) == ([], False)
        stream.feed(b"x")
        stream.feed(b"x")
        assert (feeder.asked, stream.full) == (["pause"], True)
        assert len(await stream.read()) == HIGH_WATER_BYTES + 1
        assert (feeder.asked, stream.full) == (["pause", "resume"], False)
        stream.feed(b"x")
        assert await stream.read() == b"x"
        assert feeder.asked == ["pause", "resume"]

    run(test())


def test_a_late_reader_does_not_touch_a_connection_that_has_gone_on_to_another_exchange() -> None:
    async def test() -> None:
        feeder = Feeder()
        stream = ReplyStream(feeder)
        stream.feed(b"x" * HIGH_WATER_BYTES)
        stream.end()
        await stream.read()
        stream.abort()
        assert feeder.asked == ["pause"]

    run(test())


@pytest.mark.parametrize("error", [None, ConnectionDropped("cut")])
def test_everybody_hears_of_the_end_once_and_the_first_end_counts(error: Exception | None) -> None:
    stream = ReplyStream(Feeder())
    heard: list[Exception | None] = []
    stream.on_end(heard.append)
    stream.on_end(heard.append)
    stream.end(error)
    stream.end(ConnectionDropped("later"))
    stream.on_end(heard.append)
    assert heard == [error, error, error]


def test_giving_up_closes_the_connection_and_forgets_what_waits() -> None:
    async def test() -> None:
        feeder = Feeder()
        stream = ReplyStream(feeder)
        heard: list[Exception | None] = []
        stream.on_end(heard.append)
        stream.feed(b"ab")
        stream.abort()
        stream.abort()
        assert feeder.asked == ["close"]
        assert [type(error) for error in heard] == [CallerGone]
        with pytest.raises(CallerGone):
            await stream.read()

    run(test())


def test_a_cancelled_reader_leaves_the_stream_readable() -> None:
    async def test() -> None:
        stream = ReplyStream(Feeder())
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        stream.feed(b"ab")
        assert await stream.read() == b"ab"

    run(test())
