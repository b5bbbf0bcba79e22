import asyncio
from unittest import mock

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol

from proxy.core.call import Body, Call, Header
from proxy.core.errors import BodyTimeout, CallerGone, DeadlineExceeded
from proxy.edge.listener.body import CallerBody, gather
from proxy.edge.listener.head import RequestHead
from tests.support.script import make_call
from tests.support.virtual import START, run

KEEP = 10
IDLE_S = 30.0
CHUNKED = (b"Transfer-Encoding", b"chunked")
EXPECT = (b"Expect", b"100-continue")


def length(size: int) -> Header:
    return b"Content-Length", b"%d" % size


def incoming(*pieces: bytes, whole: bool = True) -> StreamReader:
    """A request body of which these pieces have arrived."""
    loop = asyncio.get_running_loop()
    content = StreamReader(mock.create_autospec(BaseProtocol, instance=True), 2**16, loop=loop)
    for piece in pieces:
        content.feed_data(piece)
    if whole:
        content.feed_eof()
    return content


async def read(content: StreamReader, *fields: Header, call: Call | None = None) -> Body:
    now = asyncio.get_running_loop().time
    return await gather(CallerBody(content, RequestHead(fields), KEEP, IDLE_S), call or make_call(), now)


async def sent(body: Body) -> list[bytes]:
    return [piece async for piece in body.chunks()]


@pytest.mark.parametrize(("size", "replays"), [(0, True), (KEEP, True), (KEEP + 1, False)])
def test_what_has_arrived_is_whole_and_only_a_small_body_is_sent_twice(size: int, replays: bool) -> None:
    async def scenario() -> None:
        data = b"x" * size
        for field, expected in ((length(size), size), (CHUNKED, None)):
            body = await read(incoming(data), field)
            assert (body.whole, body.length, body.can_replay()) == (data, expected, replays)

    run(scenario())


def test_a_small_body_of_known_length_is_awaited() -> None:
    async def scenario() -> None:
        content = incoming(b"12", whole=False)
        loop = asyncio.get_running_loop()
        loop.call_later(20.0, content.feed_data, b"34")
        loop.call_later(28.0, content.feed_data, b"5")
        loop.call_later(29.0, content.feed_eof)
        call = make_call()
        body = await read(content, length(5), call=call)
        assert body.whole == b"12345"
        assert loop.time() == pytest.approx(START + 29.0)
        assert call.record.receive_s == pytest.approx(29.0)

    run(scenario())


@pytest.mark.parametrize("drips", [False, True])
def test_a_small_body_has_one_time_for_all_of_it_however_it_comes(drips: bool) -> None:
    async def scenario() -> None:
        content, loop = incoming(b"12", whole=False), asyncio.get_running_loop()
        for at in range(1, 60) if drips else ():
            loop.call_later(at, content.feed_data, b"x")
        call = make_call()
        with pytest.raises(BodyTimeout, match="within 30 s"):
            await read(content, length(9), call=call)
        assert loop.time() == pytest.approx(START + IDLE_S)
        assert call.record.receive_s == pytest.approx(IDLE_S)

    run(scenario())


@pytest.mark.parametrize("deadline_s", [-1.0, 0.0, 2.0])
def test_a_small_body_is_awaited_no_longer_than_the_deadline(deadline_s: float) -> None:
    async def scenario() -> None:
        call = make_call()
        call.deadline_at = START + deadline_s
        with pytest.raises(DeadlineExceeded, match="request body"):
            await read(incoming(b"12", whole=False), length(5), call=call)
        assert asyncio.get_running_loop().time() == pytest.approx(START + max(0.0, deadline_s))

    run(scenario())


def test_a_body_that_is_here_costs_no_time() -> None:
    async def scenario() -> None:
        call = make_call()
        call.deadline_at = START - 1.0  # whoever waits next says so
        assert (await read(incoming(b"12345"), length(5), call=call)).whole == b"12345"
        assert call.record.receive_s == 0.0

    run(scenario())


@pytest.mark.parametrize("fields", [[CHUNKED], [length(KEEP + 1)], [length(5), EXPECT]])
def test_a_body_in_chunks_or_large_or_expected_is_never_awaited(fields: list[Header]) -> None:
    async def scenario() -> None:
        body = await read(incoming(whole=False), *fields)
        assert body.whole is None
        assert body.can_replay()

    run(scenario())


def test_a_body_on_its_way_is_given_piece_by_piece() -> None:
    async def scenario() -> None:
        content = incoming(b"abc", whole=False)
        body = await read(content, CHUNKED)
        pieces = body.chunks()
        assert await anext(pieces) == b"abc"
        content.feed_data(b"def")
        assert await anext(pieces) == b"def"
        content.feed_eof()
        with pytest.raises(StopAsyncIteration):
            await anext(pieces)

    run(scenario())


def test_what_was_read_is_given_again_and_then_the_rest() -> None:
    async def scenario() -> None:
        content = incoming(b"abc", whole=False)
        body = await read(content, length(11))
        first = body.chunks()
        assert await anext(first) == b"abc"
        await first.aclose()  # type: ignore[attr-defined]  # an async generator, declared as an iterator
        content.feed_data(b"defgh")
        content.feed_eof()
        assert body.can_replay()
        assert await sent(body) == [b"abc", b"defgh"]
        assert await sent(body) == [b"abc", b"defgh"]

    run(scenario())


def test_one_byte_above_what_is_kept_can_not_be_sent_twice() -> None:
    async def scenario() -> None:
        content = incoming(b"x" * KEEP, whole=False)
        body = await read(content, CHUNKED)
        pieces = body.chunks()
        await anext(pieces)
        assert body.can_replay()
        content.feed_data(b"x")
        content.feed_eof()
        assert [piece async for piece in pieces] == [b"x"]
        assert not body.can_replay()

    run(scenario())


def test_a_stall_in_the_middle_is_the_callers_fault() -> None:
    async def scenario() -> None:
        body = await read(incoming(b"abc", whole=False), CHUNKED)
        pieces = body.chunks()
        await anext(pieces)
        with pytest.raises(BodyTimeout):
            await anext(pieces)
        assert asyncio.get_running_loop().time() == pytest.approx(START + IDLE_S)

    run(scenario())


def test_a_broken_body_is_the_callers_fault_and_its_bytes_are_not_repeated() -> None:
    async def scenario() -> None:
        content = incoming(b"abc", whole=False)
        body = await read(content, CHUNKED)
        pieces = body.chunks()
        await anext(pieces)
        content.set_exception(ValueError("bad chunk: sk_test_example"))
        with pytest.raises(CallerGone) as caught:
            await anext(pieces)
        assert "sk_test_example" not in caught.value.detail

    run(scenario())


def test_a_cancelled_wait_is_passed_on() -> None:
    async def scenario() -> None:
        task = asyncio.create_task(read(incoming(whole=False), length(5)))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario())
