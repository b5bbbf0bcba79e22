"""Answers that no honest provider sends, by the rule that they break (RFC 9110, RFC 9112)."""

from collections.abc import Iterator
from typing import Final

_OK: Final = b"HTTP/1.1 200 OK\r\n"
_CHUNKED: Final = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_END: Final = b"\r\n\r\n0123456789"

_LENGTHS: Final = {
    "twice the same": b"2\r\nContent-Length: 2",
    "twice, different": b"2\r\nContent-Length: 3",
    "a list": b"2, 2",
    "negative": b"-1",
    "signed": b"+2",
    "hexadecimal": b"0x2",
    "two numbers": b"2 2",
    "fraction": b"2.0",
    "underscore": b"1_0",
    "parameter": b"2;a",
    "empty": b"",
    "beyond 64 bits": b"99999999999999999999999",
    "and chunked": b"2\r\nTransfer-Encoding: chunked",
    "and gzip": b"2\r\nTransfer-Encoding: gzip",
}
_ENCODINGS: Final = {
    "and a length": b"chunked\r\nContent-Length: 5",
    "gzip": b"gzip",
    "gzip, chunked": b"gzip, chunked",
    "chunked, gzip": b"chunked, gzip",
    "chunked twice": b"chunked, chunked",
    "two fields": b"chunked\r\nTransfer-Encoding: chunked",
    "identity": b"identity",
    "unknown": b"xchunked",
    "quoted": b'"chunked"',
    "parameter": b"chunked;q=1",
    "vertical tab": b"\x0bchunked",
    "empty": b"",
}
_FIELDS: Final = {
    "space before the colon": b"X-A : 1",
    "space in the name": b"X A: 1",
    "no name": b": 1",
    "no colon": b"X-A",
    "NUL in the name": b"X\0A: 1",
    "high byte in the name": b"X\xe9: 1",
    "NUL in the value": b"X-A: a\0b",
    "control character in the value": b"X-A: a\x01b",
    "DEL in the value": b"X-A: a\x7fb",
    "folded with a space": b"X-A: a\r\n b",
    "folded with a tab": b"X-A: a\r\n\tb",
    "folded first": b" X-A: 1",
    "bare LF": b"X-A: a\nX-B: b",
    "bare CR": b"X-A: a\rX-B: b",
    "5,000 of them": b"\r\n".join(b"X-%d: 1" % number for number in range(5000)),
    "one of 200 kB": b"X-A: " + b"y" * 200_000,
    "a name of 200 kB": b"X" * 200_000 + b": 1",
}
_STARTS: Final = {
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "garbage": b"\x00\xff\x16\x03\x01" * 20,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 settings": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\0" * 18,
    "version 0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version 1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version 2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version 2": b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "small letters": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "ICY": b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "status 99": b"HTTP/1.1 99 OK\r\nContent-Length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 2000": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status -20": b"HTTP/1.1 -20 OK\r\nContent-Length: 0\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "escape in the reason": b"HTTP/1.1 200 \x1b[31mOK\r\nContent-Length: 0\r\n\r\n",
    "endless reason": b"HTTP/1.1 200 " + b"y" * 200_000,
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x81\x05hello",
    "101 without Upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + _OK + b"Content-Length: 0\r\n\r\n",
    "100 fifty times": b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + _OK + b"Content-Length: 0\r\n\r\n",
}
_CHUNKS: Final = {
    "no number": b"x\r\n",
    "negative": b"-1\r\n\r\n",
    "signed": b"+2\r\nok\r\n0\r\n\r\n",
    "0x": b"0x2\r\nok\r\n0\r\n\r\n",
    "space behind": b"2 \r\nok\r\n0\r\n\r\n",
    "space before": b" 2\r\nok\r\n0\r\n\r\n",
    "underscore": b"2_0\r\nok",
    "empty": b"\r\n\r\n",
    "beyond 64 bits": b"fffffffffffffffff\r\n",
    "bare LF behind the size": b"2\nok\r\n0\r\n\r\n",
    "bare LF behind the data": b"2\r\nok\n0\r\n\r\n",
    "more data than announced": b"2\r\nokk\r\n0\r\n\r\n",
    "no CRLF behind the data": b"2\r\nok0\r\n\r\n",
    "bare LF in an extension": b"2;a\nb\r\nok\r\n0\r\n\r\n",
    "NUL in an extension": b"2;\0\r\nok\r\n0\r\n\r\n",
    "endless extension": b"2;" + b"y" * 200_000,
    "Content-Length in the trailers": b"0\r\nContent-Length: 5\r\n\r\n",
    "Transfer-Encoding in the trailers": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "NUL in a trailer": b"0\r\nX: \0\r\n\r\n",
    "5,000 trailers": b"0\r\n" + b"X-A: 1\r\n" * 5000 + b"\r\n",
    "a trailer of 200 kB": b"0\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
}


def _answers() -> Iterator[tuple[str, bytes]]:
    for name, value in _LENGTHS.items():
        yield f"length: {name}", _OK + b"Content-Length: " + value + _END
    for name, value in _ENCODINGS.items():
        yield f"encoding: {name}", _OK + b"Transfer-Encoding: " + value + b"\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    for name, line in _FIELDS.items():
        yield f"field: {name}", _OK + line + b"\r\nContent-Length: 10" + _END
    for name, start in _STARTS.items():
        yield f"start: {name}", start
    for name, body in _CHUNKS.items():
        yield f"chunk: {name}", _CHUNKED + body


HOSTILE_ANSWERS: Final = dict(_answers())
"""Each must become a 502 of tidegate's own, or, once its head has gone out, an aborted connection."""
