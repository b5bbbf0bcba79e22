"""What of an answer's body is taken to judge it."""

import asyncio
import gzip
import time

import pytest

from proxy.core.outcome import Outcome
from proxy.core.profile import Profile, Rule
from proxy.edge.upstream.dial import Origin
from proxy.edge.upstream.engine import Engine
from proxy.edge.upstream.pool import PoolConfig
from proxy.edge.upstream.verdict import WITHIN_S, plain_beginning
from proxy.sansio.classify import MOST_BYTES, Classifier
from tests.support.caller import run_on_uvloop
from tests.support.script import ScriptedStream, SlowStream, make_call, make_reply
from tests.support.upstream import whole
from tests.support.virtual import run
from tests.support.wire import HOLD, Script, Wire, reply

SLACK = Profile(throttled=(Rule(status=429), Rule(status=200, field="error", equals="ratelimited")))
LIMITED = b'{"ok":false,"error":"ratelimited"}'
JSON = b"Content-Type: application/json"


def judging(wire: Wire) -> Engine:
    """Return an engine that judges the wire's answers by Slack's rule."""
    return Engine(Origin("http", "127.0.0.1", wire.port), PoolConfig(), Classifier(SLACK), time.monotonic)


@pytest.mark.parametrize(
    ("content_type", "looked_at"),
    [
        ("application/json; charset=utf-8", True),
        ("application/problem+json", True),
        ("application/xml", True),
        ("TEXT/HTML", True),
        (None, True),
        ("text/event-stream", False),
        ("application/x-ndjson", False),
        ("application/stream+json", False),
        ("image/png", False),
        ("application/octet-stream", False),
    ],
)
def test_only_text_is_looked_at_and_no_stream_of_events(content_type: str | None, looked_at: bool) -> None:
    async def scene() -> None:
        headers = {} if content_type is None else {"Content-Type": content_type}
        stream = ScriptedStream(b"hello")
        answer = make_reply(200, headers, stream=stream)
        assert await plain_beginning(answer) == (b"hello" if looked_at else b"")
        assert stream.ended is looked_at

    run(scene())


def test_no_more_than_the_beginning_is_taken_and_it_is_read_in_time() -> None:
    async def scene() -> None:
        large = ScriptedStream(*[b"x" * 1000] * 40)
        assert await plain_beginning(make_reply(200, stream=large)) == b"x" * MOST_BYTES
        began_at = asyncio.get_running_loop().time()
        assert await plain_beginning(make_reply(200, stream=SlowStream(60.0, b"x"))) == b""
        assert asyncio.get_running_loop().time() - began_at == pytest.approx(WITHIN_S, abs=1e-3)

    run(scene())


def test_a_coding_is_taken_off_before_the_body_is_judged() -> None:
    async def scene() -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        assert await plain_beginning(make_reply(200, headers, gzip.compress(LIMITED))) == LIMITED
        bomb = gzip.compress(b" " * 10_000_000)
        assert await plain_beginning(make_reply(200, headers, bomb)) == b" " * MOST_BYTES
        assert await plain_beginning(make_reply(200, headers, b"no gzip")) == b""

    run(scene())


def test_an_answer_at_200_that_says_it_was_throttled_is_judged_so_and_passed_on_as_it_came() -> None:
    async def scenario() -> None:
        pieces: Script = [
            b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\nContent-Length: 34\r\n\r\n",
            LIMITED[:10],
            0.02,
            LIMITED[10:],
        ]
        async with Wire(reply(200, LIMITED, JSON), pieces, reply(200, b'{"ok":true}', JSON)) as wire:
            engine = judging(wire)
            for outcome, body in (
                (Outcome.THROTTLED, LIMITED),
                (Outcome.THROTTLED, LIMITED),
                (Outcome.OK, b'{"ok":true}'),
            ):
                answer = await engine(make_call())
                assert answer.outcome is outcome
                assert await whole(answer) == body
            assert len(wire.links) == 1

    run_on_uvloop(scenario())


def test_the_time_that_a_body_took_to_be_judged_is_the_provider_s() -> None:
    async def scenario() -> None:
        head = b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\nContent-Length: 34\r\n\r\n"
        async with Wire([head, 0.05, LIMITED]) as wire:
            call = make_call()
            await judging(wire)(call)
            assert 0.04 <= call.record.body_s <= call.record.upstream_s < 5

    run_on_uvloop(scenario())


def test_a_stream_that_begins_late_still_streams() -> None:
    async def scenario() -> None:
        head = b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with Wire([head, WITHIN_S * 2, b"2\r\n{}\r\n0\r\nx-sum: 1\r\n\r\n"]) as wire:
            answer = await judging(wire)(make_call())
            assert answer.outcome is Outcome.OK
            assert answer.stream is not None
            assert await whole(answer) == b"{}"
            assert answer.stream.trailers == [(b"x-sum", b"1")]

    run_on_uvloop(scenario())


def test_a_call_that_is_given_up_while_its_answer_is_judged_leaves_no_connection_open() -> None:
    async def scenario() -> None:
        head = b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\nContent-Length: 9\r\n\r\n"
        async with Wire([head, HOLD]) as wire:
            engine = judging(wire)
            task = asyncio.create_task(engine(make_call()))
            await wire.until(lambda: wire.requests)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await wire.until(lambda: wire.open == 0)

    run_on_uvloop(scenario())
