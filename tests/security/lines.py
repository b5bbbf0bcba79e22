"""More payloads: request lines, hosts, chunks, trailers, sizes, and what stands in Connection."""

from collections.abc import Iterator
from typing import Final

from tests.security.payloads import CHUNKS, SECOND, Payload, request


def _versions() -> Iterator[Payload]:
    for version in (
        b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.", b"HTTP/1", b"HTTP/.1", b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1.01",
        b"HTTP/2",
        b"HTTP/2.0", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/-1.1", b"HTTP/1.1x", b"HTTP/1.1 x", b"HTTP/1,1", b"HTTP 1.1",
        b"HTTP/",
        b"http/1.1", b"HTTPS/1.1", b"HTP/1.1", b"ICE/1.0", b"RTSP/1.0", b"RTSP/2.0", b"SIP/2.0", b"", b"\x00",
        b"HTTP/1.1\x00",
        b"HTTP/1.1\t", "HTTP/\uff11.1".encode(), b"HTTP/1.1 HTTP/1.1", b"HTTP\\1.1",
    ):  # fmt: skip
        yield Payload(repr(version), request(start=b"GET /up/x " + version))
    yield Payload("0.9", b"GET /up/x\r\n" + SECOND)
    yield Payload("preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECOND)
    yield Payload("source", b"SOURCE /up/x ICE/1.0\r\nHost: localhost\r\n\r\n" + SECOND)
    yield Payload("1.0-chunked", request(b"Transfer-Encoding: chunked", start=b"POST /up/x HTTP/1.0", body=CHUNKS))
    yield Payload(
        "1.0-te-cl", request(b"Content-Length: 5", b"Transfer-Encoding: chunked", start=b"POST /up/x HTTP/1.0")
    )


def _targets() -> Iterator[Payload]:
    for target in (
        b"http://localhost/up/x", b"https://localhost/up/x", b"HTTP://evil.example/up/x", b"http:///up/x",
        b"ftp://x/up/x",
        b"localhost:443", b"evil.example:80", b"*", b"up/x", b"\\up\\x", b"/up/x#f", b"/up#/x", b"#", b"?", b"?/up/x",
        b"",
        b"/up/\x00", b"/up/\x7f", b"/up/\x01", b"/up/ x", b"/up/\tx", b"/up/\rx", b"/up/\nx", b"/up/x\x0bHTTP/1.1",
        b"/up/x HTTP/1.1 ", b"/up/x\r\nX: 1", b"/up/../x", b"//up/x", b"javascript:alert(1)", b"file:///etc/passwd",
        b"user@localhost/up/x", b"@localhost/up/x", b"unix:/run/x", b"/up/x\xe2\x80\xa8",
    ):  # fmt: skip
        fine_bytes = target.endswith(b"\xa8")  # beyond ASCII, yet no delimiter: passes byte for byte
        yield Payload(repr(target), request(start=b"GET " + target + b" HTTP/1.1"), requests=1 + fine_bytes)


def _hosts() -> Iterator[Payload]:
    get = b"GET /up/x HTTP/1.1"
    yield Payload("none", request(start=get, host=False))
    for lines in (
        (b"Host: localhost", b"Host: localhost"), (b"Host: localhost", b"host: evil.example"),
        (b"HOST: evil.example", b"Host: localhost"), (b"Host: localhost", b"Host:"),
        (b"Host: localhost", b"Host : evil"),
        (b"Host : localhost",), (b"Host\t: localhost",), (b" Host: localhost",), (b"Host: localhost\r\n evil.example",),
    ):  # fmt: skip
        yield Payload(b"|".join(lines).decode(), request(*lines, start=get, host=False))
    for value in (
        b"", b" ", b"a b", b"localhost evil", b"localhost, evil.example", b"localhost;x", b"user@localhost",
        b"x:y@localhost",
        b"localhost:", b"localhost:99999", b"localhost:0x50", b"localhost:80:80", b"localhost/up", b"localhost?x",
        b"localhost#x",
        b"localhost\\x", b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example", b"[::1", b"::1",
        b"[::1]x",
        b"[127.0.0.1]", b"localhost\x00", b"localhost\tevil", b"local%68ost", b".localhost", b"..", b"localhost..",
        b"*",
        b"http://localhost", "lo\u212aalhost".encode(), b"\xff", b"0x7f.1x.example", b"localhost" * 1000,
    ):  # fmt: skip
        yield Payload(repr(value)[:40], request(b"Host: " + value, start=get, host=False))


def _methods() -> Iterator[Payload]:
    for method in (
        b"get", b"Get", b"G ET", b"GET\t", b"\x00GET", b"GET\x00", b"", b"TRACE", b"PRI", b"M-SEARCH", b"SOURCE",
        b"PURGE",
        b"BREW", b"DESCRIBE", b"GET:", b"GE(T", "G\u0415T".encode(), b"GETGET", b"PROPFIND", b"QUERY", b"X" * 300, b"*",
    ):  # fmt: skip
        yield Payload(repr(method)[:40], request(start=method + b" /up/x HTTP/1.1"))
    yield Payload("connect", request(start=b"CONNECT localhost:443 HTTP/1.1"))
    yield Payload("connect-path", request(start=b"CONNECT /up/x HTTP/1.1"))
    for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS"):
        data = request(b"Content-Length: 5", start=method + b" /up/x HTTP/1.1", body=b"hello")
        yield Payload(f"body-{method!r}", data, requests=2, fine=True)


def _chunks() -> Iterator[Payload]:
    encoded = b"Transfer-Encoding: chunked"
    for body in (
        CHUNKS, b"05\r\nhello\r\n00\r\n\r\n", b"5;a;b=c\r\nhello\r\n0;z\r\n\r\n", b"0\r\n\r\n", b"0000\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", b"A\r\nhellohello\r\n0\r\n\r\n", b'5;a="q"\r\nhello\r\n0\r\n\r\n',
        b"5;" + b"a" * 20_000 + b"\r\nhello\r\n0\r\n\r\n",
    ):  # fmt: skip
        yield Payload(repr(body)[:40], request(encoded, body=body), requests=2, fine=True)
    for size in (
        b"+5", b"-5", b"-0", b"0x5", b" 5", b"\t5", b"5 ", b"5\t", b"5 ;a", b"5\x00", b"\x005", b"5\x0b", b"5\r",
        b"5\n", b"G",
        b"", b"5g", b"5,", b"5.0", b"5_0", "\uff15".encode(), b"fffffffffffffffff", b"10000000000000005",
        b"ffffffffffffffff",
        b"5;a\x00", b"5;a\n", b"5;a\r", b"5;\x7f", b'5;a="\n"', b'5;a="\r\n"', b"5;a=\x01", b"5\r\n\r\n",
    ):  # fmt: skip
        yield Payload(f"size-{size[:20]!r}", request(encoded, body=size + b"\r\nhello\r\n0\r\n\r\n"))
    for body in (
        b"5\r\nhelloX\r\n0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n",
        b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\r\r\n", b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n-0\r\n\r\n",
        b"\r\n", b"\n",
        b"5\r\nhello\r\n\r\n0\r\n\r\n", b"6\r\nhello\r\n0\r\n\r\n", b"ffffff\r\nhello\r\n0\r\n\r\n",
    ):  # fmt: skip
        yield Payload(f"data-{body!r}", request(encoded, body=body))


def _trailers() -> Iterator[Payload]:
    encoded = b"Transfer-Encoding: chunked"
    for line in (
        b" fold: 1", b"\tfold: 1", b"X : 1", b"X\x00: 1", b"X: a\x00b", b"X: a\nY: 1", b"X: a\rY: 1", b": 1", b"X",
        b"X: 1\r\n y",
        b"(x): 1",
    ):  # fmt: skip
        yield Payload(repr(line), request(encoded, body=b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n"))
    for line in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: evil.example", b"Authorization: x"):
        data = request(encoded, body=b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n")
        yield Payload(repr(line), data, requests=2)
    flood = b"".join(b"X-%d: 1\r\n" % number for number in range(200))
    yield Payload("flood", request(encoded, body=b"0\r\n" + flood + b"\r\n"))


def _sizes() -> Iterator[Payload]:
    get = b"GET /up/x HTTP/1.1"
    yield Payload("line", request(start=b"GET /up/" + b"x" * 20_000 + b" HTTP/1.1"))
    yield Payload("value", request(b"X: " + b"x" * 20_000, start=get))
    yield Payload("name", request(b"x" * 20_000 + b": 1", start=get))
    yield Payload("fields", request(*[b"X-%d: 1" % number for number in range(200)], start=get))
    yield Payload("all", request(*[b"X-%d: " % number + b"x" * 8000 for number in range(127)], start=get))
    yield Payload("endless", b"GET /up/x HTTP/1.1\r\nX: " + b"x" * 300_000)
    yield Payload("unfinished", b"GET /up/x HTTP/1.1\r\nHost: localhost\r\nX: 1\r\n")
    yield Payload("short-body", b"POST /up/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n" + SECOND)


def _connection() -> Iterator[Payload]:
    for named in (
        b"Content-Length",
        b"content-length",
        b"Transfer-Encoding",
        b"Host",
        b"close, Host",
        b"Authorization",
    ):
        yield Payload(repr(named), request(b"Connection: " + named, b"Content-Length: 5", body=b"hello"))
    yield Payload("twice", request(b"Connection: keep-alive", b"Connection: host", start=b"GET /up/x HTTP/1.1"))
    for lines in (
        (b"Connection: X, ,keep-alive", b"X: 1"), (b"Connection:",),
        (b"Expect: 100-continue",), (b"Connection: keep-alive", b"Keep-Alive: timeout=5"), (b"Proxy-Connection: x",),
    ):  # fmt: skip
        data = request(*lines, b"Content-Length: 5", body=b"hello")
        yield Payload(b"|".join(lines).decode(), data, requests=2, fine=True)
    # aiohttp drops what was sent together with these; a dropped request is not answered, and not forwarded either.
    for lines in (
        (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"),
        (b"Connection: upgrade", b"Upgrade: TLS/1.0"),
    ):
        data = request(*lines, b"Content-Length: 5", body=b"hello")
        yield Payload(b"|".join(lines).decode(), data, requests=2)
    data = request(b"Connection: keep-alive, close", b"Content-Length: 5", body=b"hello")
    yield Payload("closed", data, requests=1)


GROUPS: Final = [_versions, _targets, _hosts, _methods, _chunks, _trailers, _sizes, _connection]
