"""Reads the head of a caller's request: what is forwarded, what steers, what is refused.

Rules: RFC 9110 7.6.1 (hop-by-hop), RFC 9112 6 (framing).
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from proxy.core.call import Header, Headers
from proxy.core.errors import BadRequest
from proxy.edge.listener.fields import Kinds


class Kind(IntEnum):
    """What becomes of a request header field."""

    KEEP = 0
    DROP = 1  # hop-by-hop
    HOST = 2  # replaced by the provider's own
    CONNECTION = 3
    LENGTH = 4
    ENCODING = 5
    BROWSER = 6
    STEER = 7
    REQUEST_ID = 8
    TRACE = 9
    EXPECT = 10
    COLLIDES = 11


_KINDS: Final[dict[bytes, Kind]] = {
    b"keep-alive": Kind.DROP,
    b"proxy-connection": Kind.DROP,
    b"proxy-authorization": Kind.DROP,
    b"te": Kind.DROP,
    b"upgrade": Kind.DROP,
    b"http2-settings": Kind.DROP,
    b"host": Kind.HOST,
    b"connection": Kind.CONNECTION,
    b"content-length": Kind.LENGTH,
    b"transfer-encoding": Kind.ENCODING,
    b"origin": Kind.BROWSER,
    b"sec-fetch-site": Kind.BROWSER,
    b"expect": Kind.EXPECT,
    b"x-request-id": Kind.REQUEST_ID,
    b"traceparent": Kind.TRACE,
    b"tracestate": Kind.TRACE,
    b"baggage": Kind.TRACE,
}
# A server behind that reads `_` as `-` would see these twice, or see what was just removed (CWE-444).
_NEVER_WITH_UNDERSCORE: Final = frozenset(_KINDS) | {b"authorization", b"cookie", b"x-api-key", b"api-key"}
_NEVER_NAMED_BY_CONNECTION: Final = frozenset((b"content-length", b"transfer-encoding", b"host", b"authorization"))


def _judge(name: bytes) -> Kind:
    if b"_" in name:
        dashed = name.replace(b"_", b"-")
        if dashed in _NEVER_WITH_UNDERSCORE or dashed.startswith(b"tidegate-"):
            return Kind.COLLIDES
    if name.startswith(b"tidegate-"):
        return Kind.STEER
    return _KINDS.get(name, Kind.KEEP)


KINDS: Final = Kinds(_judge)
"""What becomes of each request header field."""


class RequestHead:
    """What a request's header fields say.

    headers: the fields to forward, in order. host: the Host value, None when absent. length: Content-Length,
    None when absent. chunked: the body comes in chunks. steering: the `Tidegate-*` fields. expects: the caller
    waits for `100 Continue`. browser: a browser page sent this. traced: trace context is in it.
    Raises: BadRequest when the framing is ambiguous or a name collides with one that has a meaning.
    """

    __slots__ = ("browser", "chunked", "expects", "headers", "host", "length", "request_id", "steering", "traced")

    def __init__(self, raw: Iterable[Header]) -> None:
        self.headers: Headers = []
        self.host: bytes | None = None
        self.length: int | None = None
        self.chunked = self.expects = self.browser = self.traced = False
        self.request_id: bytes | None = None
        self.steering: Headers = []
        connection: list[bytes] = []
        for pair in raw:
            kind = KINDS[pair[0]]
            if not kind:  # KEEP; looking a member up in its class is slow, and this is the hot path
                self.headers.append(pair)
            elif kind == Kind.CONNECTION:
                connection.append(pair[1])
            elif kind != Kind.DROP:
                self._take(kind, pair)
        for value in connection:
            self._drop_named(value)

    def _take(self, kind: Kind, pair: Header) -> None:
        value = pair[1]
        match kind:
            case Kind.HOST:
                if self.host is not None:
                    raise BadRequest("the request has more than one Host header")
                self.host = value
                return
            case Kind.LENGTH | Kind.ENCODING:
                self._take_framing(kind, value)
            case Kind.EXPECT:
                self.expects = True
            case Kind.BROWSER:
                self.browser = True
            case Kind.COLLIDES:
                raise BadRequest("a header name with an underscore collides with one that has a meaning of its own")
            case Kind.STEER:
                self.steering.append(pair)
                return
            case Kind.REQUEST_ID:
                self.request_id = value
            case Kind.TRACE:
                self.traced = True
        self.headers.append(pair)

    def _take_framing(self, kind: Kind, value: bytes) -> None:
        if self.chunked or self.length is not None:
            raise BadRequest("the body's framing is given more than once")
        if kind is Kind.ENCODING:
            if value.lower() != b"chunked":
                raise BadRequest("a Transfer-Encoding other than chunked is not supported")
            self.chunked = True
        elif value.isdigit():
            self.length = int(value)
        else:
            raise BadRequest("Content-Length is no number")

    def _drop_named(self, value: bytes) -> None:
        named = {token.strip().lower() for token in value.split(b",")} - {b"close", b"keep-alive", b""}
        if named & _NEVER_NAMED_BY_CONNECTION:
            raise BadRequest("Connection names a header that is not hop-by-hop")
        if named:
            self.headers = [pair for pair in self.headers if pair[0].lower() not in named]
