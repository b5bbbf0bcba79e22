"""Bodies of which the beginning was read already."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.call import Reply
from proxy.core.errors import ConnectionDropped
from proxy.edge.prefixed import Prefixed, beginning_of
from tests.support.script import ScriptedStream, SlowStream, make_reply
from tests.support.upstream import whole
from tests.support.virtual import run

PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=8)


@given(pieces=PIECES, most=st.integers(min_value=0, max_value=120))
def test_who_reads_on_gets_the_same_bytes_whatever_was_read_before(pieces: list[bytes], most: int) -> None:
    async def scene() -> None:
        reply = make_reply(200, stream=ScriptedStream(*pieces))
        beginning = await beginning_of(reply, most, 1.0)
        everything = b"".join(pieces)
        assert everything.startswith(beginning)
        assert len(beginning) > most or beginning == everything
        assert await whole(reply) == everything

    run(scene())


def test_a_body_that_ends_in_time_is_whole_then_and_keeps_its_trailers() -> None:
    async def scene() -> None:
        stream = ScriptedStream(b"ab", b"c")
        stream.trailers = [(b"x-sum", b"1")]
        reply = make_reply(200, stream=stream)
        assert await beginning_of(reply, 100, 1.0) == b"abc"
        assert (reply.body, reply.trailers, reply.stream) == (b"abc", [(b"x-sum", b"1")], None)

    run(scene())


def test_a_body_that_is_here_is_not_waited_for() -> None:
    async def scene() -> None:
        assert await beginning_of(make_reply(200, body=b"here"), 2, 1.0) == b"here"

    run(scene())


def test_a_slow_body_is_not_waited_for_beyond_the_bound_and_nothing_of_it_is_lost() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        reply = make_reply(200, stream=SlowStream(0.2, b"a", b"b", b"c"))
        began_at = loop.time()
        assert await beginning_of(reply, 100, 0.25) == b"a"
        assert loop.time() - began_at == pytest.approx(0.25, abs=1e-3)
        assert await whole(reply) == b"abc"

    run(scene())


def test_a_body_that_is_cut_gives_what_came_and_then_its_error() -> None:
    async def scene() -> None:
        reply = make_reply(200, stream=ScriptedStream(b"ab", error=ConnectionDropped("cut")))
        assert await beginning_of(reply, 100, 1.0) == b"ab"
        assert reply.stream is not None
        assert await reply.stream.read() == b"ab"
        with pytest.raises(ConnectionDropped):
            await reply.stream.read()

    run(scene())


def test_its_end_is_the_stream_s_and_so_are_its_trailers() -> None:
    async def scene() -> None:
        ends: list[Exception | None] = []
        stream = ScriptedStream(b"b")
        stream.trailers = [(b"x-sum", b"1")]
        prefixed = Prefixed(b"a", stream)
        prefixed.on_end(ends.append)
        assert [await prefixed.read() for _ in range(3)] == [b"a", b"b", b""]
        assert ends == [None]
        assert prefixed.trailers == [(b"x-sum", b"1")]

    run(scene())


def test_to_give_it_up_is_to_give_the_stream_up() -> None:
    async def scene() -> None:
        stream = ScriptedStream(b"b")
        reply = Reply(200, b"", [], b"", Prefixed(b"a", stream))
        reply.discard()
        assert stream.aborted

    run(scene())
