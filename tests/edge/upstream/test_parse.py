import pytest

from proxy.core.errors import UpstreamProtocolError
from proxy.edge.upstream.parse import MAX_HEADERS, MAX_INTERIM, MAX_OVERHEAD_BYTES, AnswerParser
from tests.support.hostile import HOSTILE_ANSWERS
from tests.support.wire import reply

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def parse(*pieces: bytes, head_only: bool = False) -> AnswerParser:
    parser = AnswerParser()
    parser.expect(head_only=head_only, on_continue=None)
    for piece in pieces:
        parser.feed(piece)
    return parser


@pytest.mark.parametrize("cut", [0, 1, 9, 12, 20, 40, 52, 54])
def test_an_answer_means_the_same_however_it_is_cut(cut: int) -> None:
    raw = b"HTTP/1.1 404 Not  Found\r\nX-B: 2\r\nx-b: 3\r\nContent-Length: 4\r\n\r\nbody"
    parser = parse(raw[:cut], raw[cut:]) if cut else parse(*(raw[i : i + 1] for i in range(len(raw))))
    assert (parser.status, parser.reason, b"".join(parser.pieces)) == (404, b"Not  Found", b"body")
    assert parser.head == [(b"X-B", b"2"), (b"x-b", b"3"), (b"Content-Length", b"4")]
    assert (parser.complete, parser.keep, parser.until_close) == (True, True, False)


@pytest.mark.parametrize("size", [10_000_000, 7_001, 1])
@pytest.mark.parametrize("name", HOSTILE_ANSWERS)
def test_what_is_not_plainly_one_answer_is_refused(name: str, size: int) -> None:
    raw = HOSTILE_ANSWERS[name] if size > 1 else HOSTILE_ANSWERS[name][:20_000] + b"y" * MAX_OVERHEAD_BYTES
    cuts = range(0, len(raw), size) if size > 1 else [*range(20_000), 20_000]
    with pytest.raises(UpstreamProtocolError):
        parse(*(raw[cut : cut + size] if cut < 20_000 or size > 1 else raw[cut:] for cut in cuts))


def test_an_interim_answer_is_told_only_when_it_is_100() -> None:
    parser = AnswerParser()
    heard: list[int] = []
    parser.expect(head_only=False, on_continue=lambda: heard.append(parser.status))
    parser.feed(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n")
    assert (heard, parser.head_done) == ([], False)
    parser.feed(b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n")
    assert (heard, parser.head_done) == ([100], False)
    parser.feed(reply(201))
    assert heard == [100]
    assert (parser.status, parser.reason, parser.head) == (201, b"Scripted", [(b"Content-Length", b"2")])


def test_interim_answers_end_somewhere() -> None:
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    assert parse(interim * MAX_INTERIM + reply()).complete
    with pytest.raises(UpstreamProtocolError):
        parse(interim * (MAX_INTERIM + 1))


def test_header_fields_end_somewhere() -> None:
    lines = b"A: 1\r\n" * (MAX_HEADERS - 1)
    assert parse(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 0\r\n\r\n").complete
    with pytest.raises(UpstreamProtocolError):
        parse(b"HTTP/1.1 200 OK\r\n" + lines + b"A: 2\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 ",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nX",
        CHUNKED + b"5;x=",
        CHUNKED + b"2\r\nok\r\n0\r\nX: ",
    ],
)
def test_what_never_ends_is_given_up(start: bytes) -> None:
    parser = parse(start)
    for _ in range(MAX_OVERHEAD_BYTES // 1000 - 1):
        parser.feed(b"y" * 1000)
    with pytest.raises(UpstreamProtocolError):
        parser.feed(b"y" * 2000)


def test_a_long_body_is_no_overhead() -> None:
    parser = parse(CHUNKED)
    for _ in range(300):
        parser.feed(b"1000\r\n" + b"x" * 4096 + b"\r\n")
    parser.feed(b"0\r\n\r\n")
    assert (parser.complete, sum(map(len, parser.pieces))) == (True, 300 * 4096)


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_an_answer_without_length_lasts_until_the_connection_closes(raw: bytes) -> None:
    parser = parse(raw)
    assert (parser.head_done, parser.until_close, parser.complete, parser.keep) == (True, True, False, False)


@pytest.mark.parametrize(
    ("raw", "keep"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (reply() + b"x", False),
        (reply() + reply(), False),
    ],
)
def test_a_connection_is_kept_only_after_a_clean_end(raw: bytes, keep: bool) -> None:
    parser = parse(raw)
    assert (parser.complete, parser.keep) == (True, keep)


def test_the_next_answer_starts_afresh() -> None:
    parser = parse(CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert parser.fields == [(b"X-Sum", b"1")]
    parser.expect(head_only=True, on_continue=None)
    parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    assert (parser.complete, parser.keep, parser.fields) == (True, True, [])
    parser.expect(head_only=False, on_continue=None)
    parser.feed(CHUNKED + b"0\r\n\r\n")
    assert (parser.complete, parser.keep) == (True, True)
