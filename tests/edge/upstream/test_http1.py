import pytest

from proxy.core.call import WholeBody
from proxy.core.errors import ConnectionDropped, UpstreamProtocolError
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call
from tests.support.upstream import make_engine, whole
from tests.support.wire import CLOSE, HALF_CLOSE, HOLD, RESET, Act, Script, Wire, reply

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def test_a_request_goes_out_exactly_as_the_caller_wrote_it() -> None:
    async def test() -> None:
        async with Wire() as wire:
            call = make_call("PUT", b"/v2/https://x//%7e%2F?q=%zz&q", {"X-B": "2", "x-a": "1", "X-b": "3"})
            call.headers.append((b"X-Odd", b"\xe9 \t end"))
            call.headers.append((b"content-length", b"5"))
            call.body = WholeBody(b"\x00\r\n\r\n")
            await make_engine(wire, b"/prefix")(call)
            assert wire.requests[0].head == (
                b"PUT /prefix/v2/https://x//%%7e%%2F?q=%%zz&q HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                b"X-B: 2\r\nx-a: 1\r\nX-b: 3\r\nX-Odd: \xe9 \t end\r\ncontent-length: 5\r\n\r\n" % wire.port
            )
            assert wire.requests[0].body == b"\x00\r\n\r\n"

    run_on_uvloop(test())


def test_an_answer_comes_back_exactly_as_the_provider_wrote_it() -> None:
    async def test() -> None:
        lines = b"X-B: 2\r\nx-a:1\r\nX-b: \xe9\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 3\r\n"
        raw = b"HTTP/1.1 299 So  so\r\n" + lines + b"\r\nab\0"
        async with Wire(raw) as wire:
            got = await make_engine(wire)(make_call())
            assert (got.status, got.reason, got.body, got.stream) == (299, b"So  so", b"ab\0", None)
            assert got.headers == [
                (b"X-B", b"2"), (b"x-a", b"1"), (b"X-b", b"\xe9"), (b"Set-Cookie", b"a"), (b"Set-Cookie", b"b"),
                (b"Content-Length", b"3"),
            ]  # fmt: skip

    run_on_uvloop(test())


@pytest.mark.parametrize(
    ("script", "body"),
    [
        ([CHUNKED + b"3;x=y\r\nabc\r\n", 0.01, b"2\r\nde\r\n0\r\n\r\n"], b"abcde"),
        ([b"HTTP/1.1 200 OK\r\n\r\nuntil", 0.01, b" close", CLOSE], b"until close"),
        ([b"HTTP/1.1 200 OK\r\n\r\nuntil half-close", HALF_CLOSE, HOLD], b"until half-close"),
        ([b"HTTP/1.0 200 OK\r\n\r\nold", CLOSE], b"old"),
        ([b"HTTP/1.1 200 OK\r\n\r\n", CLOSE], b""),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", 0.01, b"cd"], b"abcd"),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + reply(200, b"last"),
            b"last",
        ),
    ],
)
def test_a_body_ends_where_its_framing_says(script: Script, body: bytes) -> None:
    async def test() -> None:
        async with Wire(script) as wire:
            assert await whole(await make_engine(wire)(make_call())) == body

    run_on_uvloop(test())


@pytest.mark.parametrize("pause", [(), (0.01,)])
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        ("HEAD", CHUNKED),
        ("GET", NO_CONTENT),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
        ("GET", reply(200, b"x" * 200_000)),
        ("GET", CHUNKED + b"0\r\n\r\n"),
    ],
)
def test_a_connection_is_used_again_after_an_answer_that_ended_cleanly(
    method: str, answer: bytes, pause: tuple[float, ...]
) -> None:
    async def test() -> None:
        async with Wire([answer[:10], *pause, answer[10:]], reply(200, b"second")) as wire:
            engine = make_engine(wire)
            await whole(await engine(make_call(method)))
            second = await engine(make_call())
            assert (second.body, len(wire.links)) == (b"second", 1)

    run_on_uvloop(test())


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", reply() + b"x"),
        ("GET", reply() + reply(200, b"evil")),
        ("GET", NO_CONTENT + b"body"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody"),
        ("GET", CHUNKED + b"0\r\n\r\n" + reply(200, b"evil")),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + NO_CONTENT),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ],
)
def test_a_connection_is_not_used_again_after_any_doubt(method: str, answer: bytes) -> None:
    async def test() -> None:
        async with Wire(answer, reply(200, b"second")) as wire:
            engine = make_engine(wire)
            await whole(await engine(make_call(method)))
            second = await engine(make_call())
            assert (second.body, len(wire.links)) == (b"second", 2)
            await wire.until(lambda: wire.links[0].ended)

    run_on_uvloop(test())


@pytest.mark.parametrize(
    "script",
    [
        [CLOSE],
        [RESET],
        [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-Le", RESET],
        [b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE],
        [HALF_CLOSE, HOLD],
    ],
)
def test_a_connection_that_ends_before_the_answer_is_dropped(script: Script) -> None:
    async def test() -> None:
        async with Wire(script) as wire:
            engine = make_engine(wire)
            with pytest.raises(ConnectionDropped):
                await engine(make_call())
            assert engine.snapshot()["connections"] == 0
            assert len(wire.requests) == 1

    run_on_uvloop(test())


@pytest.mark.parametrize("ending", [CLOSE, RESET])
@pytest.mark.parametrize("times", range(10))
def test_a_provider_that_hangs_up_at_once_is_an_answer_not_a_wait(ending: Act, times: int) -> None:
    async def test() -> None:
        async with Wire(greeting=[ending]) as wire:
            engine = make_engine(wire)
            with pytest.raises(ConnectionDropped):
                await engine(make_call())
            assert engine.snapshot()["connections"] == 0

    run_on_uvloop(test(), within_s=5.0)


@pytest.mark.parametrize(
    "script",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", RESET],
        [CHUNKED + b"3\r\nabc\r\n", CLOSE],
        [CHUNKED + b"3\r\nabc\r\n", HALF_CLOSE, HOLD],
        [CHUNKED + b"5\r\nabc", RESET],
        [CHUNKED + b"3\r\nabc\r\n0\r\n", CLOSE],
        [CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b"3\r\nabc\r\n", CLOSE],
        [CHUNKED.replace(b"1.1", b"1.0") + b"3\r\nabc\r\n", CLOSE],
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc", CLOSE],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nabc", CLOSE],
    ],
)
def test_a_body_that_is_cut_short_never_ends_cleanly(script: Script) -> None:
    async def test() -> None:
        async with Wire(script) as wire:
            engine = make_engine(wire)
            got = await engine(make_call())
            with pytest.raises(ConnectionDropped):
                await whole(got)
            assert engine.snapshot()["connections"] == 0

    run_on_uvloop(test())


def test_a_body_until_close_that_ends_in_a_reset_is_cut_short() -> None:
    async def test() -> None:
        async with Wire([b"HTTP/1.1 200 OK\r\n\r\nabc", 0.02, RESET]) as wire:
            got = await make_engine(wire)(make_call())
            with pytest.raises(ConnectionDropped):
                await whole(got)

    run_on_uvloop(test())


def test_a_body_that_turns_to_garbage_fails_as_malformed() -> None:
    async def test() -> None:
        async with Wire([CHUNKED + b"3\r\nabc\r\n", 0.01, b"zz\r\n"]) as wire:
            got = await make_engine(wire)(make_call())
            with pytest.raises(UpstreamProtocolError):
                await whole(got)

    run_on_uvloop(test())


def test_a_body_that_arrives_whole_brings_its_trailers() -> None:
    async def test() -> None:
        async with Wire(CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n", reply()) as wire:
            engine = make_engine(wire)
            got = await engine(make_call())
            assert (got.body, got.stream, got.trailers) == (b"ok", None, [(b"X-Sum", b"1"), (b"x-sum", b"2")])
            assert (await engine(make_call())).trailers == []
            assert got.trailers == [(b"X-Sum", b"1"), (b"x-sum", b"2")]  # the next exchange leaves them alone

    run_on_uvloop(test())


def test_trailers_are_there_once_the_body_has_ended() -> None:
    async def test() -> None:
        async with Wire([CHUNKED, 0.01, b"2\r\nok\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n"]) as wire:
            got = await make_engine(wire)(make_call())
            assert await whole(got) == b"ok"
            assert got.stream is not None
            assert got.stream.trailers == [(b"X-Sum", b"1"), (b"x-sum", b"2")]

    run_on_uvloop(test())
