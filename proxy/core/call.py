"""The one noun: a Call goes in, a Reply comes out, and everything between is a Handler around a Handler.

A `Policy` is a Handler that holds the next one. There is no second way to extend the data path.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.core.record import Record
from proxy.core.units import Frozen

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that are served (RFC 9110 section 9, RFC 5789)."""

IDEMPOTENT: Final = METHODS - {"POST", "PATCH"}
"""The methods that may be repeated (RFC 9110 section 9.2.2)."""

Header = tuple[bytes, bytes]
Headers = list[Header]
"""Header fields as they stood on the wire: order, case and duplicates kept."""


def field_values(headers: Headers, name: bytes) -> Iterator[bytes]:
    """Yield the values of a header field; `name` in lower case."""
    return (value for key, value in headers if key.lower() == name)


def field_value(headers: Headers, name: bytes) -> bytes | None:
    """Return the first value of a header field, None when absent; `name` in lower case."""
    return next(field_values(headers, name), None)


class Body(ABC):
    """A request body that may be sent more than once.

    whole: the bytes, when all of them are at hand. length: the declared size in bytes, None when the
    caller sends chunks (then the provider gets chunks too).
    """

    whole: bytes | None
    length: int | None

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body from its first byte; what was read before is given again from memory."""

    @abstractmethod
    def can_replay(self) -> bool:
        """Say whether `chunks()` can still begin at the first byte."""


class WholeBody(Body):
    """A body that is all in memory, the empty one included."""

    def __init__(self, data: bytes, *, chunked: bool = False) -> None:
        self.whole: bytes = data
        self.length = None if chunked else len(data)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes in one piece."""
        yield self.whole

    def can_replay(self) -> bool:
        """Say yes: the bytes stay."""
        return True


NO_BODY = WholeBody(b"")
"""What a request without Content-Length and Transfer-Encoding carries."""


class TraceContext(NamedTuple):
    """The caller's place in a trace, as its `traceparent` says, in hexadecimal (W3C Trace Context section 3.2).

    parent_id: the caller's span. span_id: the one that stands for this call.
    """

    trace_id: str
    parent_id: str
    span_id: str
    sampled: bool


class Call:
    """One request of the service on its way to a provider.

    provider: its configured name. target: path and query for the provider, byte for byte as received.
    headers: what the provider shall see, hop-by-hop and steering fields already gone.
    deadline_at, attempt_until: monotonic instants, infinity while nothing has set them; the caller sets the first
    with `Tidegate-Timeout`, the deadline policy only ever brings it nearer.
    connect_s, body_idle_s: seconds, set by the timeout policy. retry, account: what
    the caller steered with `Tidegate-*` headers. on_continue: tells a caller that waits for it
    that the provider wants the body (100 Continue), or None.
    base: the address by which the caller reached this provider, for URLs that lead back here.
    minted_key: the idempotency key that tidegate made, "" where the caller sent its own or none is taken.
    renewed: whether this call was given another credential after a refusal. retries_spent: whether another attempt
    would have helped and is not made any more, so that an SDK should not make it either.
    trace: the caller's place in a trace, None where it named none.
    """

    __slots__ = (
        "account", "attempt_until", "base", "body", "body_idle_s", "connect_s", "deadline_at", "headers", "method",
        "minted_key", "on_continue", "provider", "record", "renewed", "request_id", "retries_spent", "retry", "target",
        "trace",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - the six parts of a request
        self, provider: str, method: str, target: bytes, headers: Headers, body: Body, record: Record
    ) -> None:
        self.provider = provider
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.record = record
        self.request_id = ""
        self.deadline_at = self.attempt_until = self.connect_s = self.body_idle_s = float("inf")
        self.retry = True
        self.account: str | None = None
        self.on_continue: Callable[[], None] | None = None
        self.base = self.minted_key = ""
        self.renewed = self.retries_spent = False
        self.trace: TraceContext | None = None

    def outgoing(self) -> "Call":
        """Return a copy for one attempt: what the credential policy fills in and sends on."""
        copy = Call(self.provider, self.method, self.target, self.headers, self.body, self.record)
        copy.request_id = self.request_id
        copy.deadline_at = self.deadline_at
        copy.retry = self.retry
        copy.account, copy.on_continue = self.account, self.on_continue
        return copy


class Stream(Protocol):
    """The rest of a reply's body, as it arrives."""

    trailers: Headers

    async def read(self) -> bytes:
        """Return the next piece, b"" at the end.

        Raises: UpstreamFailed when the body is cut short or stalls, DeadlineExceeded.
        """

    def on_end(self, callback: Callable[[Exception | None], None]) -> None:
        """Call back once, when the body has ended (None) or failed or been aborted (the error)."""

    def abort(self) -> None:
        """Give up the rest and close the connection; harmless when the body has ended."""


_NO_TRAILERS: Final[Headers] = []
_OK: Final = Outcome.OK  # looking a member up in its class is slow, and every reply is made here


class Reply:
    """The provider's answer, or tidegate's own.

    headers: as they stood on the wire, framing fields included. body: the whole body when it arrived
    whole, else b"" and `stream` holds the rest. trailers: of a body that arrived whole; others are the stream's.
    pause_s: seconds for which the rate limiter holds calls to the provider back from here on, 0.0 for none.
    renewed: the credential was refused, and another attempt would carry another one. own: tidegate made it, in the
    provider's place.
    """

    __slots__ = ("body", "headers", "outcome", "own", "pause_s", "reason", "renewed", "status", "stream", "trailers")

    def __init__(self, status: int, reason: bytes, headers: Headers, body: bytes, stream: Stream | None = None) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.stream = stream
        self.trailers: Headers = _NO_TRAILERS
        self.outcome = _OK
        self.pause_s = 0.0
        self.renewed = self.own = False

    def discard(self) -> None:
        """Give up the body: a reply that is not passed on must not keep its connection."""
        if self.stream is not None:
            self.stream.abort()


Handler = Callable[[Call], Awaitable[Reply]]
"""Takes a call, returns the reply or raises a TidegateError."""


class Policy(ABC):
    """A Handler holding a Handler. `section` is at once YAML section, module name and metric family."""

    section: ClassVar[str]
    Config: ClassVar[type[Frozen]]
    inner: Handler

    @abstractmethod
    def __call__(self, call: Call) -> Awaitable[Reply]:
        """Pass the call on, or refuse it, or act on its reply.

        One that only acts beforehand is a plain function that returns what `inner` returns: a layer without a
        coroutine costs half as much.
        """

    @classmethod
    def needed(cls, config: Any, profile: Profile) -> bool:  # noqa: ARG003 - most policies always have something to do
        """Say whether the layer has anything to do for this provider; else it is absent, as if it were off.

        config: the policy's own Config.
        """
        return True

    def adopt(self, old: "Policy") -> None:  # noqa: B027 - most policies remember nothing
        """Go on with what the layer `old` of the same section knew, which a reload replaces by this one."""

    @property
    def actions(self) -> Mapping[str, Callable[[], None]]:
        """What an operator may do to the layer while it runs, by name: such as `open` for a breaker.

        What lasts does so until `auto` takes it back, or the process ends.
        """
        return {}

    @property
    def overrides(self) -> tuple[str, ...]:
        """Which of the actions are in force; a reload repeats them on the layer that takes this one's place."""
        return ()

    def snapshot(self, now: float) -> dict[str, object]:  # noqa: ARG002 - most policies have nothing that moves
        """Tell the live state for `/api/providers` and the gauges; plain JSON values, no secrets.

        now: monotonic instant.
        """
        return {}
