"""Parses one provider's answers: llhttp in its strict default, and what it leaves to its user (RFC 9112)."""

from collections.abc import Callable
from typing import Final

import httptools

from proxy.core.call import Headers
from proxy.core.errors import UpstreamProtocolError

MAX_OVERHEAD_BYTES: Final = 128 * 1024  # head, chunk extensions or trailers without a byte of body between
MAX_HEADERS: Final = 256
MAX_INTERIM: Final = 16  # 1xx answers before the final one
_REASON_BYTES: Final = bytes((9, *range(32, 127), *range(128, 256)))  # RFC 9112 section 4; llhttp takes any


class _Stop(Exception):
    """Leaves the parser from inside a callback."""


class AnswerParser:
    """The answer to one request at a time; `expect` begins a new one.

    status, reason, head: of the final answer, once `head_done`. pieces: body bytes that the owner takes out.
    fields: of the head until `head_done`, then of the trailer section. keep: whether the connection may carry
    another exchange. until_close: the body ends with the connection.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.expect(head_only=False, on_continue=None)

    def expect(self, *, head_only: bool, on_continue: Callable[[], None] | None) -> None:
        """Begin a new answer. head_only: the request was HEAD. on_continue: hears `100 Continue`.

        Other 1xx answers end here: many clients take any of them for the final answer.
        """
        self._head_only = head_only
        self._on_continue = on_continue
        self._interims = self._overhead = 0
        self._encoded = False  # by Transfer-Encoding
        self._modern = False
        self._problem = ""
        self.fields: Headers = []
        self.status = 0
        self.reason = b""
        self.head: Headers = []
        self.pieces: list[bytes] = []
        self.head_done = self.complete = self.keep = self.until_close = False

    def feed(self, data: bytes) -> None:
        """Take bytes from the provider.

        Raises: UpstreamProtocolError when they are no valid answer, or too much of one.
        """
        if not self._overhead:
            self._modern = data.startswith(b"HTTP/1.1 ")  # nearly always; asking the parser makes a string each time
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise UpstreamProtocolError(self._problem or f"the answer is malformed: {error}") from None
            # Complete, yet stopped: the answer to HEAD, which ends with its head, or bytes beyond the end.
            self._parser = httptools.HttpResponseParser(self)
            self.keep = self.keep and self._head_only and data.find(b"\r\n\r\n") == len(data) - 4
        if self._overhead > MAX_OVERHEAD_BYTES or len(self.fields) > MAX_HEADERS:
            raise UpstreamProtocolError("the answer's head, chunk framing or trailer section is too large")

    def drop(self) -> None:
        """Break the cycle with the C parser, so that no collector need run."""
        del self._parser

    # Called by llhttp

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request."""
        if self.complete:
            raise _Stop

    def on_status(self, reason: bytes) -> None:
        """Take (a piece of) the reason phrase."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head or of the trailer section."""
        if len(name) == 17 and name.lower() == b"transfer-encoding":
            # No other coding was asked for (RFC 9112 7.4), and llhttp takes it for a body until close.
            if value.lower() != b"chunked" or self._encoded:
                self._stop("the answer has another Transfer-Encoding than chunked, once")
            self._encoded = True
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Settle status and framing."""
        status = self.status = self._parser.get_status_code()
        if status < 200:
            self._take_interim(status)
            return
        if len(self.fields) > MAX_HEADERS:
            self._stop("the answer has too many header fields")
        if self._overhead > MAX_OVERHEAD_BYTES < sum(len(name) + len(value) for name, value in self.fields):
            self._stop("the answer's head is too large")
        if not self._modern and self._parser.get_http_version() not in ("1.1", "1.0"):
            self._stop("the answer is not HTTP/1.1 or HTTP/1.0")
        if self.reason.translate(None, _REASON_BYTES):
            self._stop("the answer's reason phrase holds a control character")
        self.head, self.fields = self.fields, []
        self.head_done = True
        self.keep = self._parser.should_keep_alive()
        if self._head_only:
            self.complete = True
            raise _Stop  # no body follows, whatever Content-Length says
        if not self.keep:
            self.until_close = (
                status not in (204, 304)
                and not self._encoded
                and not any(name.lower() == b"content-length" for name, _ in self.head)
            )

    def _take_interim(self, status: int) -> None:
        self._interims += 1
        if status < 100 or status == 101 or self._interims > MAX_INTERIM:
            self._stop("the provider switched protocols unasked, or sent too many interim answers")
        if status == 100 and self._on_continue is not None:
            self._on_continue()

    def _stop(self, problem: str) -> None:
        self._problem = problem
        raise _Stop

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._overhead = 0
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        """Take the end of an answer, interim or final."""
        if self.status >= 200:
            self.complete = True
        else:
            self.fields, self.reason, self._encoded, self._modern = [], b"", False, False
