"""Writes a reply to the caller: head and body in one write when both are here, else as the body arrives."""

from typing import Final

from proxy.core.call import Call, Headers, Reply
from proxy.core.errors import CallerGone
from proxy.edge.listener.kinds import KINDS, Kind, kinds_with
from proxy.edge.listener.request import Request
from proxy.edge.listener.rewrite import Rewriter

_kinds: Final = kinds_with(frozenset())
_LENGTH: Final = Kind.LENGTH  # looking a member up in its class is slow, and this is the hot path
_ENCODING: Final = Kind.ENCODING
_CONNECTION: Final = Kind.CONNECTION
_URL: Final = Kind.URL
_USUAL: Final = (b"keep-alive", b"close")
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))
_FORBIDDEN_TRAILERS: Final = frozenset(KINDS) | {b"content-encoding", b"content-type", b"set-cookie", b"authorization"}


_ENDS: Final = {  # (keep_alive, http11) -> the end of the head
    (True, True): b"\r\n",
    (True, False): b"Connection: keep-alive\r\n\r\n",
    (False, True): b"Connection: close\r\n\r\n",
    (False, False): b"Connection: close\r\n\r\n",
}


class Composed:
    """The head of a reply as bytes, and how its body is framed towards this caller.

    bodyless: no body follows. chunked: the body goes out in chunks. keep_alive: the connection may stay.
    """

    __slots__ = ("_framed", "bodyless", "chunked", "head", "keep_alive")

    def __init__(  # noqa: PLR0913  # one answer: what it is, and how it goes to this caller
        self,
        call: Call,
        reply: Reply,
        ours: bytes,
        *,
        http11: bool,
        keep_alive: bool,
        rewriter: Rewriter | None = None,
    ) -> None:
        status = reply.status
        self.bodyless = self._framed = status in (204, 304) or call.method == "HEAD"
        self.chunked = False
        self.keep_alive = keep_alive
        hop_by_hop: list[bytes] = []
        lines = [b"HTTP/1.1 %d %b\r\n" % (status, reply.reason)]
        kinds = _kinds if rewriter is None else rewriter.kinds
        for pair in reply.headers:
            kind = kinds[pair[0]]
            if not kind or self._frames(kind, status, http11=http11):  # KEEP, or a framing field that still holds
                lines.append(b"%b: %b\r\n" % pair)
            elif kind is _URL and rewriter is not None:
                lines.append(b"%b: %b\r\n" % (pair[0], rewriter.header(*pair, call)))
            elif kind is _CONNECTION and pair[1].lower() not in _USUAL:
                hop_by_hop.append(pair[1])
        if hop_by_hop:
            lines[1:] = _without_named(lines[1:], b",".join(hop_by_hop))
        if not self._framed:
            lines.append(self._frame(reply, http11=http11))
        lines.append(ours)
        lines.append(_ENDS[self.keep_alive, http11])
        self.head = b"".join(lines)

    def _frames(self, kind: Kind, status: int, *, http11: bool) -> bool:
        """Say whether a field of this kind goes on to the caller because it frames the body there too."""
        if kind is _LENGTH and status != 204:
            self._framed = True
        elif kind is _ENCODING and http11 and status not in (204, 304):
            self._framed = self.chunked = True
        else:
            return False
        return True

    def _frame(self, reply: Reply, *, http11: bool) -> bytes:
        # The provider ended its body by closing, or chunked it for a caller that knows no chunks.
        if reply.stream is None:
            return b"Content-Length: %d\r\n" % len(reply.body)
        if http11:
            self.chunked = True
            return b"Transfer-Encoding: chunked\r\n"
        self.keep_alive = False
        return b""


def _without_named(lines: list[bytes], connection: bytes) -> list[bytes]:
    """Return the header lines without those that a provider's `Connection` field declares hop-by-hop."""
    named = {token.strip().lower() for token in connection.split(b",")} - _FRAMING
    return [line for line in lines if line.partition(b":")[0].lower() not in named]


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _last_piece(trailers: Headers) -> bytes:
    kept = [b"%b: %b\r\n" % pair for pair in trailers if pair[0].lower() not in _FORBIDDEN_TRAILERS]
    return b"0\r\n%b\r\n" % b"".join(kept)


def write_whole(request: Request, call: Call, reply: Reply, composed: Composed) -> bool:
    """Write as much of the answer as is here, in one write; returns whether that was all and the caller keeps up.

    Raises: CallerGone when the caller has left.
    """
    transport = request.transport
    if transport is None:
        raise CallerGone("the caller closed its connection before the answer")
    if composed.bodyless:
        transport.write(composed.head)
        reply.discard()
        return True
    body = reply.body
    if reply.stream is not None:
        transport.write(composed.head)
        return False
    call.record.response_bytes = len(body)
    if composed.chunked:
        body = (_piece(body) if body else b"") + _last_piece(reply.trailers)
    transport.write(composed.head + body)
    return not request.behind


async def write_rest(request: Request, call: Call, reply: Reply, composed: Composed, idle_s: float) -> None:
    """Write the body as it arrives; returns when all of it is with the transport.

    idle_s: the longest wait for a caller that does not read.
    Raises: UpstreamFailed or DeadlineExceeded when the body is cut short, CallerGone when the caller stalls or
    has left. The connection must then be aborted: a second answer or a clean end would be a lie.
    """
    stream, transport, record = reply.stream, request.transport, call.record
    while stream is not None and transport is not None and (data := await stream.read()):
        record.response_bytes += len(data)
        transport.write(_piece(data) if composed.chunked else data)
        if request.behind:
            await request.drained(idle_s)
    if stream is None:
        await request.drained(idle_s)
    elif composed.chunked and transport is not None:
        transport.write(_last_piece(stream.trailers))
