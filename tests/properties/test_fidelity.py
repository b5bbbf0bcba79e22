"""Whatever a legal message looks like, the other side gets it as it was sent, but for what is documented to change."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.core.call import Headers
from tests.support.caller import Answer, Caller
from tests.support.sidecar import Sidecar
from tests.support.wire import CLOSE, Wire, reply

CALLERS_OWN: Final = (b"authorization", b"Bearer placeholder")
CREDENTIAL: Final = (b"Authorization", b"Bearer sk_test_example")
TCHAR: Final = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
TARGET: Final = TCHAR.replace("#", "") + '/?:@()[];,="<>\\{}'
MEANT: Final = frozenset((
    "authorization", "proxy-authorization", "host", "connection", "keep-alive", "proxy-connection", "te", "upgrade",
    "expect",
    "content-length", "transfer-encoding", "origin", "sec-fetch-site", "traceparent", "tracestate", "baggage",
    "trailer",
    "x-request-id", "http2-settings", "cookie", "x-api-key",
    "api-key", "content-encoding",
))  # fmt: skip
"""Names whose fields change, go or refuse the request; their rules have tests of their own."""


def plain(name: str) -> bool:
    dashed = name.lower().replace("_", "-")
    return dashed not in MEANT and not dashed.startswith("tidegate-")


USUAL: Final = (
    "Accept", "x-a", "X-A", "X-a", "Set-Cookie", "ETag", "Content-Type", "user-agent", "Via", "Date", "Link",
)  # fmt: skip

names = (st.sampled_from(USUAL) | st.text(TCHAR, min_size=1, max_size=12).filter(plain)).map(str.encode)
visible = st.sampled_from([*range(0x21, 0x7F), *range(0x80, 0x100)])
inner = st.one_of(visible, st.sampled_from(b" \t"))
values = st.one_of(
    st.just(b""),
    st.builds(lambda first, rest, last: bytes([first, *rest, last]), visible, st.lists(inner, max_size=30), visible),
)
fields = st.lists(st.tuples(names, values), max_size=8)
bodies = st.one_of(
    st.just(b""), st.binary(max_size=2000), st.binary(min_size=1, max_size=8).map(lambda data: data * 20_000)
)
sizes = st.lists(st.integers(1, 70_000), max_size=5)

ONCE: Final = frozenset((
    b"content-location", b"content-range", b"content-type", b"etag", b"max-forwards", b"server", b"user-agent",
))  # fmt: skip
"""A request in which one of these stands twice is refused: they may stand once, and readers differ on which counts."""


def once(pairs: Headers) -> bool:
    singles = [name.lower() for name, _ in pairs if name.lower() in ONCE]
    return len(singles) == len({*singles})


@dataclass(frozen=True)
class Sent:
    """What the caller sends. cuts: the sizes of its chunks, None for Content-Length or no body at all."""

    method: bytes
    target: bytes
    fields: Headers
    body: bytes | None
    cuts: list[int] | None
    version: bytes

    @property
    def framing(self) -> Headers:
        """The field that frames the body."""
        if self.body is None:
            return []
        length = (b"content-LENGTH", b"%d" % len(self.body))
        return [length] if self.cuts is None else [(b"Transfer-Encoding", b"chunked")]


@dataclass(frozen=True)
class Answered:
    """What the provider answers. framing: `length`, `chunked` or `close`."""

    status: int
    reason: bytes
    fields: Headers
    body: bytes
    framing: str
    cuts: list[int]


sent = st.builds(
    Sent,
    st.sampled_from([b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"]),
    st.text(TARGET, max_size=40).map(lambda text: b"/" + text.encode()),
    fields.filter(once),
    st.none() | bodies,
    st.none() | sizes,
    st.just(b"1.1"),
) | st.builds(
    Sent,
    st.sampled_from([b"GET", b"POST"]),
    st.just(b"/v1"),
    fields.filter(once),
    st.none() | bodies,
    st.none(),
    st.just(b"1.0"),
)
answered = st.builds(
    Answered,
    st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    st.text("abc XYZ'-", max_size=20).map(lambda text: text.strip().encode()),
    fields,
    bodies,
    st.sampled_from(["length", "chunked", "close"]),
    sizes,
)


def lines(pairs: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in pairs)


def chunks(body: bytes, cuts: list[int]) -> bytes:
    pieces = []
    for cut in cuts:
        pieces.append(body[:cut])
        body = body[cut:]
    return b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, body) if piece) + b"0\r\n\r\n"


def on_the_wire(message: Sent, extra: Headers) -> bytes:
    head = b"%b /up%b HTTP/%b\r\nHost: localhost\r\n" % (message.method, message.target, message.version)
    head += lines(extra) + lines(message.fields) + lines(message.framing) + b"\r\n"
    if message.body is None:
        return head
    return head + (message.body if message.cuts is None else chunks(message.body, message.cuts))


def script(answer: Answered) -> list[object]:
    start = b"HTTP/1.1 %d %b\r\n" % (answer.status, answer.reason) + lines(answer.fields)
    if answer.framing == "length":
        return [start + b"Content-Length: %d\r\n\r\n" % len(answer.body) + answer.body]
    if answer.framing == "chunked":
        return [start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(answer.body, answer.cuts)]
    return [start + b"Connection: close\r\n\r\n" + answer.body, CLOSE]


class Between:
    """A sidecar with the wire behind it and a caller in front; `run` runs a coroutine beside them."""

    def __init__(self, runner: asyncio.Runner, wire: Wire, sidecar: Sidecar) -> None:
        self._runner, self._wire, self._sidecar = runner, wire, sidecar

    def exchange(self, data: bytes, steps: list[object]) -> tuple[bytes, bytes, Answer]:
        """Send the bytes; return the head and the body that the provider got, and what the caller got."""
        return self._runner.run(self._exchange(data, steps))

    async def _exchange(self, data: bytes, steps: list[object]) -> tuple[bytes, bytes, Answer]:
        self._wire.play(steps)  # type: ignore[arg-type]  # bytes and acts
        seen = len(self._wire.requests)
        async with asyncio.timeout(10), Caller(self._sidecar.port) as caller:
            answer = await caller.ask(data)
        (request,) = self._wire.requests[seen:]
        return request.head, request.body, answer


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        wire = Wire()
        runner.run(wire.__aenter__())
        off = dict.fromkeys(("retry", "breaker", "rate_limit"), False)
        credential = {"scheme": "bearer", "token": "env:UP"}
        provider = {"base_url": wire.url, "credential": credential, "profile": {"dot_segments": True}, **off}
        with Sidecar(tmp_path_factory.mktemp("fidelity"), {"up": provider}, env={"UP": "sk_test_example"}) as sidecar:
            yield Between(runner, wire, sidecar)
        runner.run(wire.__aexit__())


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(message=sent)
def test_the_provider_gets_the_request_as_it_was_sent(between: Between, message: Sent) -> None:
    hop_by_hop = [
        (b"Connection", b"X-Named, keep-alive"), (b"x-named", b"1"), (b"Keep-Alive", b"timeout=5"),
        (b"TE", b"trailers"),
        CALLERS_OWN, (b"Tidegate-Priority", b"batch"),
    ]  # fmt: skip
    named = [field for field in message.fields if field[0].lower() != b"x-named"]
    head, body, answer = between.exchange(on_the_wire(message, hop_by_hop), [reply()])
    start, host, *rest = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert start == b"%b %b HTTP/1.1" % (message.method, message.target)
    assert host == b"Host: 127.0.0.1:%d" % between._wire.port
    # The injected credential stands where the caller's own stood.
    assert rest == [b"%b: %b" % pair for pair in (CREDENTIAL, *named, *message.framing)]
    assert body == (message.body or b"")
    assert answer.status == 200


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(answer=answered, version=st.sampled_from([b"1.1", b"1.0"]))
def test_the_caller_gets_the_answer_as_it_was_sent(between: Between, answer: Answered, version: bytes) -> None:
    message = Sent(b"GET", b"/v1", [(b"X-Request-Id", b"r-1")], None, None, version)
    _, _, got = between.exchange(on_the_wire(message, []), script(answer))
    start, *rest = got.head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert start == b"HTTP/1.1 %d %b" % (answer.status, answer.reason)
    theirs = [b"%b: %b" % pair for pair in answer.fields]
    assert rest[: len(theirs)] == theirs
    ours = [line for line in rest[len(theirs) :] if not is_framing(line)]
    assert ours == [b"X-Request-Id: r-1", b"Tidegate-Source: provider", b"Tidegate-Attempts: 1"]
    assert (got.body, got.whole) == (answer.body, True)


def is_framing(line: bytes) -> bool:
    return line.lower().startswith((b"content-length:", b"transfer-encoding:", b"connection:"))
