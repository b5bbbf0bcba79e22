"""Judges the bytes that reached a provider: one request, framed once, read alike by two parsers that are not ours."""

import re
from typing import Final

import h11
import httptools

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
_START: Final = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[\x21-\x7e\x80-\xff]* HTTP/1\.1")
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))


class Reading:
    """What httptools makes of the bytes."""

    def __init__(self, data: bytes) -> None:
        self.heads = self.ends = 0
        self.body = b""
        self.target = b""
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise AssertionError("httptools sees an upgrade") from error

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_headers_complete(self) -> None:
        self.heads += 1

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ends += 1


def check_forwarded(data: bytes, host: bytes) -> bool:
    """Say whether the bytes are one whole request; False when they are the beginning of one.

    Raises: AssertionError or a parser's error when they are anything else.
    """
    head, end, _ = data.partition(b"\r\n\r\n")
    assert end, "no whole head"
    check_head(head, host)
    target, body, whole = _read_by_h11(data)
    reading = Reading(data)
    assert (reading.heads, reading.ends) == (1, int(whole))
    assert (reading.target, reading.body) == (target, body)
    return whole


def check_head(head: bytes, host: bytes) -> None:
    """Check every byte of a head against the grammar, and the framing for being single."""
    start, *lines = head.split(b"\r\n")
    assert _START.fullmatch(start), start
    names = []
    for line in lines:
        name, _, value = line.partition(b":")
        assert _NAME.fullmatch(name), line[:80]
        assert _VALUE.fullmatch(value[1:]), line[:80]  # one space, then the value: no obs-fold, CR, LF, NUL, CTL
        assert value[:1] == b" ", line[:80]
        names.append(name.lower())
    assert sum(name.replace(b"_", b"-") in _FRAMING for name in names) <= 1, names
    assert not any(
        b"_" in name and name.replace(b"_", b"-") in {*_FRAMING, b"host", b"authorization"} for name in names
    )
    assert [line for line in lines if line[:5].lower() == b"host:"] == [b"Host: " + host]
    assert not {b"connection", b"upgrade", b"te", b"keep-alive", b"proxy-connection", b"http2-settings"} & {*names}


def _read_by_h11(data: bytes) -> tuple[bytes, bytes, bool]:
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 22)
    parser.receive_data(data)
    target, body = b"", b""
    while True:
        event = parser.next_event()
        if isinstance(event, h11.Request):
            target = event.target
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            break
        else:
            assert event is h11.NEED_DATA, event
            return target, body, False
    assert parser.trailing_data[0] == b"", "bytes behind the request"
    return target, body, True
