"""Requests that two parsers may read differently, made from the grammar of RFC 9110 and RFC 9112.

Every payload ends in a second request for /up/smuggled. `requests` is how many of them one strict reader sees at
most: one where the second is a body, or where nobody can tell; two where it is plainly a request of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SECOND: Final = b"GET /up/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKS: Final = b"5\r\nhello\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Payload:
    """data: all that the caller sends. fine: whether the first request is valid and must be served."""

    name: str
    data: bytes
    requests: int = 1
    fine: bool = False


def request(*lines: bytes, start: bytes = b"POST /up/x HTTP/1.1", body: bytes = b"", host: bool = True) -> bytes:
    """Write a request, field lines as given, and the second one behind it."""
    fields = ((b"Host: localhost",) if host else ()) + lines
    return b"\r\n".join((start, *fields, b"", b"")) + body + SECOND


def _lengths() -> Iterator[Payload]:
    fine = (b"5", b"0005", b" 5", b"5 \t")
    for value in fine:
        yield Payload(repr(value), request(b"Content-Length:" + value, body=b"hello"), requests=2, fine=True)
    for value in (
        b"+5", b"-5", b"-0", b"5,5", b"5, 5", b"5,6", b"5,", b",5", b"0x5", b"5.0", b"5e0", b"", b" ", b"5 5", b"5;",
        b'"5"',
        b"5_0", b"NaN", b"five", b"5\x00", b"\x005", b"5\x0b", b"5\x0c", b"\x1f5", b"5\x7f", b"5\xa0",
        "\u0665".encode(),
        "\uff15".encode(), b"\xb2", b"5\r", b"99999999999999999999", b"18446744073709551621", b"9" * 400, b"5\r\n 0",
        b"5\n0",
        b"5\r\n\t5", b"\r\n 5",
    ):  # fmt: skip
        yield Payload(repr(value)[:40], request(b"Content-Length: " + value, body=b"hello"))


def _pairs() -> Iterator[Payload]:
    length, other, zero = b"Content-Length: 5", b"content-length: 6", b"CONTENT-LENGTH: 0"
    chunked, identity = b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"
    for lines in (
        (length, length), (length, other), (other, length), (zero, length), (length, zero), (length, b"X: 1", length),
        (length, chunked), (chunked, length), (zero, chunked), (chunked, zero), (length, chunked, length),
        (chunked, chunked), (chunked, identity), (identity, chunked), (identity, length),
        (length, b"transfer-encoding:"),
        (chunked, b"TRANSFER-ENCODING: x"), (b"Transfer-Encoding: x", length), (chunked, b"Content-Length: x"),
        (length, b"Content_Length: 6"), (chunked, b"Transfer_Encoding: x"), (b"Content_Length: 5",),
        (b"Transfer_Encoding: chunked", length), (b"transfer_encoding: chunked",), (b"Content_Length: 5", chunked),
    ):  # fmt: skip
        yield Payload(b"|".join(lines).decode(), request(*lines, body=CHUNKS))


def _encodings() -> Iterator[Payload]:
    for value in (b"chunked", b"Chunked", b"CHUNKED", b" \t chunked", b"chunked "):
        yield Payload(repr(value), request(b"Transfer-Encoding:" + value, body=CHUNKS), requests=2, fine=True)
    for value in (
        b"xchunked", b"chunkedx", b"chunked;q=1", b"chunked;", b"chunked, chunked", b"chunked,", b",chunked", b"gzip",
        b"gzip, chunked", b"chunked, gzip", b"identity", b"identity, chunked", b"chunked, identity", b'"chunked"',
        b"'chunked'", b"chu nked", b"", b"\x0bchunked", b"\x0cchunked", b"chunked\x00", b"\x00chunked", b"chunked\x0b",
        b"chunked\xa0", b"chun\xc5\x84ked", "\uff43hunked".encode(), "chun\u212aed".encode(), b"chunked\rx",
        b"chunked\nx",
        b"\r\n chunked", b"x\r\n chunked", b"chunked\r\n x", b"deflate", b"compress, chunked", b"trailers", b"x" * 3000,
    ):  # fmt: skip
        for lines in ((), (b"Content-Length: 15",)):
            fields = (b"Transfer-Encoding: " + value, *lines)
            yield Payload(f"{value[:20]!r}-{len(lines)}", request(*fields, body=CHUNKS))


def _hidden_fields() -> Iterator[Payload]:
    """A framing field that one parser sees and another does not."""
    for field, body in ((b"Transfer-Encoding: chunked", CHUNKS), (b"Content-Length: 5", b"hello")):
        name, _, value = field.partition(b": ")
        for line in (
            name + b" : " + value, name + b"\t: " + value, b" " + field, b"\t" + field, name + b"\x00: " + value,
            name + b"\x0b: " + value, name + b"\x7f: " + value, name + b"\xa0: " + value, b"\x00" + field,
            name + b"\r: " + value, name + b"\n: " + value, name + b"\r\n: " + value, name + b" " + value, name,
            b":" + field, b'"' + name + b'": ' + value, b"(" + field, b"/" + field, b"[" + field, b"X: a\n" + field,
            b"X: a\r" + field, b"X: a\r\r\n" + field, b"X: a\n\r" + field, b"X: a\x00\r\n" + field, b"X:\r\n " + field,
            b"X: a\r\n\t" + field, b"\xef\xbb\xbf" + field, b"\xff" + field, name + b",: " + value,
            name + b"@: " + value,
        ):  # fmt: skip
            yield Payload(repr(line)[:50], request(line, body=body))


def _bytes_in_fields() -> Iterator[Payload]:
    for char in (*range(9), *range(10, 33), 127, 128, 255, *b'"(),/:;<=>?@[\\]{}'):
        if chr(char) != ":":
            yield Payload(f"name-{char}", request(b"X%cY: 1" % char, start=b"GET /up/x HTTP/1.1"))
    for char in (*range(9), *range(10, 32), 127):
        yield Payload(f"value-{char}", request(b"X: a%cb" % char, start=b"GET /up/x HTTP/1.1"))
    for value in (b"\t", b"a\tb", b"\x80\xff", "\u00fc".encode()):
        data = request(b"X: " + value, start=b"GET /up/x HTTP/1.1")
        yield Payload(f"value-{value!r}", data, requests=2, fine=True)


def _line_ends() -> Iterator[Payload]:
    plain = request(b"X: 1", start=b"GET /up/x HTTP/1.1")
    for end in (b"\n", b"\r", b"\n\r", b"\r\r\n", b"\x0b", b"\x85", "\u2028".encode(), b"\x00\r\n"):
        yield Payload(f"all-{end!r}", plain.replace(b"\r\n", end))
        yield Payload(f"first-{end!r}", plain.replace(b"\r\n", end, 1))
        yield Payload(f"empty-{end!r}", plain.replace(b"\r\n\r\n", b"\r\n" + end, 1))
    for before in (b" ", b"\t", b"\x00", b"\xef\xbb\xbf", b"\r\n ", b"\r\n\x00", b"\x16\x03\x01\x02\x00\x01\x00"):
        yield Payload(f"before-{before!r}", before + plain)
    for before in (b"\r\n", b"\r\n\r\n", b"\r"):  # skipped before a request line (RFC 9112 section 2.2)
        yield Payload(f"before-{before!r}", before + plain, requests=2)


GROUPS: Final = [_lengths, _pairs, _encodings, _hidden_fields, _bytes_in_fields, _line_ends]
