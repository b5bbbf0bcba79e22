from typing import Any, cast

import pytest

from proxy.core.call import Call, Headers, Reply
from proxy.core.errors import CallerGone, ConnectionDropped
from proxy.edge.listener.request import Request
from proxy.edge.listener.writer import Composed, write_rest, write_whole
from tests.support.script import ScriptedStream, make_call
from tests.support.virtual import run

OURS = b"X-Request-Id: r-1\r\n"
LENGTH, CHUNKED = (b"content-length", b"5"), (b"TRANSFER-ENCODING", b"chunked")


class Transport:
    """Records what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


class SlowCaller:
    """As much of a request as writing a reply takes. behind: whether its caller must be waited for.

    waited: the bound of each wait in seconds. gone: what waiting raises.
    """

    def __init__(self, *, behind: bool = False, gone: CallerGone | None = None) -> None:
        self.transport: Transport | None = Transport()
        self.behind = behind
        self.waited: list[float] = []
        self._gone = gone

    async def drained(self, idle_s: float) -> None:
        self.waited.append(idle_s)
        if self._gone is not None:
            raise self._gone


def make_reply(status: int, headers: Headers, body: bytes = b"", stream: Any = None) -> Reply:
    return Reply(status, b"Fine", headers, body, stream)


def compose(reply: Reply, method: str = "GET", *, http11: bool = True, keep_alive: bool = True) -> Composed:
    return Composed(make_call(method), reply, OURS, http11=http11, keep_alive=keep_alive)


async def write_all(request: Request, call: Call, reply: Reply, composed: Composed) -> None:
    if not write_whole(request, call, reply, composed):
        await write_rest(request, call, reply, composed, 30.0)


def write(reply: Reply, request: SlowCaller, method: str = "GET", *, http11: bool = True) -> tuple[list[bytes], Call]:
    call = make_call(method)
    composed = Composed(call, reply, OURS, http11=http11, keep_alive=True)
    run(write_all(cast(Request, request), call, reply, composed))
    assert request.transport is not None
    return request.transport.written, call


def test_status_reason_and_fields_go_out_as_they_came_and_ours_follow() -> None:
    headers = [(b"x-b", b"1"), LENGTH, (b"X-B", b"2"), (b"Set-Cookie", b"a"), (b"Set-Cookie", b"\xff")]
    assert compose(make_reply(299, headers)).head == (
        b"HTTP/1.1 299 Fine\r\nx-b: 1\r\ncontent-length: 5\r\nX-B: 2\r\nSet-Cookie: a\r\nSet-Cookie: \xff\r\n"
        b"X-Request-Id: r-1\r\n\r\n"
    )


@pytest.mark.parametrize(
    "name",
    [b"Connection", b"keep-alive", b"Proxy-Connection", b"UPGRADE", b"X-Request-ID", b"tidegate-source",
     b"Tidegate-Attempts", b"Tidegate-Provider-Request-Id"],
)  # fmt: skip
def test_hop_by_hop_fields_and_our_own_names_do_not_pass(name: bytes) -> None:
    head = compose(make_reply(200, [LENGTH, (name, b"theirs")])).head
    assert b"theirs" not in head
    assert head.count(b"X-Request-Id") == 1


def test_a_field_that_the_provider_names_in_connection_does_not_pass() -> None:
    headers = [(b"X-Hop", b"1"), (b"connection", b"close, x-hop, content-length"), LENGTH, (b"X-A", b"1")]
    assert compose(make_reply(200, headers)).head == (
        b"HTTP/1.1 200 Fine\r\ncontent-length: 5\r\nX-A: 1\r\nX-Request-Id: r-1\r\n\r\n"
    )


def test_a_body_of_unknown_end_gets_its_length_when_it_is_here() -> None:
    assert b"\r\nContent-Length: 3\r\n" in compose(make_reply(200, [], b"abc")).head


def test_a_body_of_unknown_end_that_is_still_coming_goes_out_in_chunks() -> None:
    composed = compose(make_reply(200, [], stream=ScriptedStream()))
    assert composed.chunked
    assert b"\r\nTransfer-Encoding: chunked\r\n" in composed.head


def test_a_caller_that_knows_no_chunks_gets_the_end_of_the_connection_instead() -> None:
    composed = compose(make_reply(200, [CHUNKED], stream=ScriptedStream()), http11=False)
    assert (composed.chunked, composed.keep_alive) == (False, False)
    assert b"chunked" not in composed.head
    assert b"\r\nConnection: close\r\n" in composed.head


def test_a_caller_that_knows_no_chunks_gets_the_length_of_what_is_here() -> None:
    composed = compose(make_reply(200, [CHUNKED], b"abc"), http11=False)
    assert (composed.chunked, composed.keep_alive) == (False, True)
    assert b"\r\nContent-Length: 3\r\n" in composed.head
    assert b"\r\nConnection: keep-alive\r\n" in composed.head


@pytest.mark.parametrize(
    ("status", "method", "kept"),
    [(204, "GET", b""), (304, "GET", b"content-length"), (200, "HEAD", b"content-length"), (204, "HEAD", b"")],
)
def test_an_answer_without_body_adds_no_framing_and_204_has_none(status: int, method: str, kept: bytes) -> None:
    for field in (LENGTH, CHUNKED):
        composed = compose(make_reply(status, [field]), method)
        expected = field[0] if field is LENGTH and kept else b"TRANSFER-ENCODING" if method == "HEAD" else b""
        framing = [line for line in composed.head.split(b"\r\n") if b"ength" in line or b"NCODING" in line]
        assert composed.bodyless
        assert [line.partition(b":")[0] for line in framing] == [expected] * bool(expected) * (status != 204)


def test_the_end_of_the_connection_is_told() -> None:
    assert compose(make_reply(200, [LENGTH]), keep_alive=False).head.endswith(b"\r\nConnection: close\r\n\r\n")
    assert b"Connection" not in compose(make_reply(200, [LENGTH])).head


def test_a_reply_that_is_here_goes_out_in_one_write() -> None:
    written, call = write(make_reply(200, [LENGTH], b"12345"), SlowCaller())
    assert [piece.partition(b"\r\n\r\n")[2] for piece in written] == [b"12345"]
    assert call.record.response_bytes == 5


def test_a_chunked_reply_that_is_here_goes_out_in_one_write_too() -> None:
    assert write(make_reply(200, [CHUNKED], b"12345"), SlowCaller())[0][0].endswith(b"\r\n\r\n5\r\n12345\r\n0\r\n\r\n")
    assert write(make_reply(200, [CHUNKED], b""), SlowCaller())[0][0].endswith(b"\r\n\r\n0\r\n\r\n")


def test_a_stream_goes_out_as_it_comes() -> None:
    written, call = write(make_reply(200, [CHUNKED], stream=ScriptedStream(b"ab", b"cde")), SlowCaller())
    assert written[1:] == [b"2\r\nab\r\n", b"3\r\ncde\r\n", b"0\r\n\r\n"]
    assert call.record.response_bytes == 5
    assert write(make_reply(200, [LENGTH], stream=ScriptedStream(b"ab", b"cde")), SlowCaller())[0][1:] == [
        b"ab",
        b"cde",
    ]


def test_trailers_pass_but_for_those_that_frame_or_authorise() -> None:
    stream = ScriptedStream(b"ab")
    names = (b"X-Sum", b"Content-Length", b"authorization", b"X-Request-Id")
    stream.trailers = [(name, b"1") for name in names]
    assert write(make_reply(200, [CHUNKED], stream=stream), SlowCaller())[0][-1] == b"0\r\nX-Sum: 1\r\n\r\n"


def test_trailers_of_a_body_that_arrived_whole_pass_too() -> None:
    reply = make_reply(200, [CHUNKED], b"ab")
    reply.trailers = [(b"X-Sum", b"1"), (b"content-length", b"9")]
    assert write(reply, SlowCaller())[0][0].endswith(b"\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert write(reply, SlowCaller(), http11=False)[0][0].endswith(b"\r\n\r\nab")


@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (204, "GET"), (304, "GET")])
def test_an_answer_without_body_lets_go_of_one_that_the_provider_sent(status: int, method: str) -> None:
    stream = ScriptedStream(b"body")
    written, _ = write(make_reply(status, [], stream=stream), SlowCaller(), method)
    assert len(written) == 1
    assert written[0].endswith(b"\r\n\r\n")
    assert stream.aborted


def test_a_body_that_is_cut_short_has_no_end() -> None:
    request = SlowCaller()
    with pytest.raises(ConnectionDropped):
        write(make_reply(200, [CHUNKED], stream=ScriptedStream(b"ab", error=ConnectionDropped("cut"))), request)
    assert request.transport is not None
    assert request.transport.written[-1] == b"2\r\nab\r\n"


def test_a_caller_that_has_left_is_not_written_to() -> None:
    request = SlowCaller()
    request.transport = None
    with pytest.raises(CallerGone):
        write(make_reply(200, [LENGTH], b"12345"), request)


@pytest.mark.parametrize("stream", [None, ScriptedStream(b"ab", b"cd")])
def test_a_slow_caller_is_waited_for(stream: ScriptedStream | None) -> None:
    caller = SlowCaller(behind=True)
    write(make_reply(200, [], b"" if stream else b"abcd", stream), caller)
    assert caller.waited == [30.0] * (2 if stream else 1)


def test_a_quick_caller_is_not_waited_for() -> None:
    caller = SlowCaller()
    write(make_reply(200, [], stream=ScriptedStream(b"ab", b"cd")), caller)
    assert caller.waited == []


def test_nothing_more_is_written_to_a_caller_that_left_in_the_middle() -> None:
    caller = SlowCaller(behind=True, gone=CallerGone("left"))
    with pytest.raises(CallerGone):
        write(make_reply(200, [CHUNKED], stream=ScriptedStream(b"ab", b"cd")), caller)
    assert caller.transport is not None
    assert caller.transport.written[-1] == b"2\r\nab\r\n"
