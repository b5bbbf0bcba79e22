"""Makes the spans of a call once it is over, so that calls under way carry nothing but ids.

Imported only where tracing is configured. Names: the stable semantic conventions of OpenTelemetry for HTTP client
spans (1.40); what they have no name for begins with `tidegate.`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from proxy import __version__
from proxy.core.call import TraceContext
from proxy.core.events import CallEnded
from proxy.core.profile import Profile
from proxy.core.record import Attempt, Record
from proxy.edge.observe.reasons import outcome_of
from proxy.sansio.masking import PathMask

Attributes = dict[str, str | int | float]

_SCOPE: Final = InstrumentationScope("tidegate", __version__)
_UNSET: Final = Status(StatusCode.UNSET)
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_PHASES: Final = ("dns", "connect", "tls", "first_byte")
_WAITS: Final = ("receive", "queue", "limiter", "backoff")


@dataclass(frozen=True, slots=True)
class Upstream:
    """What spans say of a provider. origins: host and port by account, "" for the provider's own."""

    profile: Profile
    origins: Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Known:
    path: PathMask
    templates: frozenset[str]
    origins: Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Sent:
    """One attempt. Instants in seconds from the call's beginning. error: empty where the answer was a good one."""

    number: int
    began_s: float
    ended_s: float
    status: int | None
    error: str
    phases: Record | Attempt


class Spans:
    """Decides what spans say: one for the call, and beneath it one for each attempt.

    service: their service.name. upstreams: by provider. wall: unix seconds. random_bits: so many random bits, for ids.
    """

    def __init__(
        self,
        service: str,
        upstreams: Mapping[str, Upstream],
        wall: Callable[[], float],
        random_bits: Callable[[int], int],
    ) -> None:
        self._wall = wall
        self._random_bits = random_bits
        # Not Resource.create(), which also takes what variables say.
        self._resource = Resource({"service.name": service, "service.version": __version__})
        self._known = {name: _known(one) for name, one in upstreams.items()}
        self._unknown = _known(Upstream(Profile(), {}))

    def of(self, event: CallEnded, trace: TraceContext) -> list[ReadableSpan]:
        """Return the spans of a call that is over, its own first; one offset turns all its instants into wall time."""
        record = event.call.record
        began_ts = self._wall() - (event.ended_at - record.started_at)
        ended_s = event.ended_at - record.started_at
        shared, name = self._shared(event)
        context = self._context(trace, int(trace.span_id, 16))
        parent = None if not trace.parent_id else self._context(trace, int(trace.parent_id, 16), remote=True)
        error = _error_of(event)
        spans = [
            ReadableSpan(
                name,
                context,
                parent,
                self._resource,
                {**shared, **self._of_call(event), **({"error.type": error} if error else {})},
                tuple(_happened(record, began_ts)),
                kind=SpanKind.CLIENT,
                status=_status(error, event),
                start_time=_ns(began_ts),
                end_time=_ns(began_ts + ended_s),
                instrumentation_scope=_SCOPE,
            )
        ]
        for sent in _attempts(event, ended_s):
            span_id = self._context(trace, self._random_bits(64) | 1)
            spans.append(self._attempt(sent, shared, name, (span_id, context), began_ts))
        return spans

    @staticmethod
    def _context(trace: TraceContext, span_id: int, *, remote: bool = False) -> SpanContext:
        return SpanContext(int(trace.trace_id, 16), span_id, is_remote=remote, trace_flags=_SAMPLED)

    def _shared(self, event: CallEnded) -> tuple[Attributes, str]:
        """Return the attributes that all spans of a call have, and their name."""
        call = event.call
        known = self._known.get(event.provider, self._unknown)
        path = known.path(call.target)
        templated = path in known.templates
        shared: Attributes = {
            "http.request.method": call.method,
            "url.template" if templated else "url.path": path,
            "tidegate.provider": event.provider,
        }
        account = call.account or ""
        if account:
            shared["tidegate.account"] = account
        host, port = known.origins.get(account, ("", 0))
        if host:
            shared["server.address"] = host
        if port:
            shared["server.port"] = port
        # A path of which only the shape is known would make too many names.
        return shared, f"{call.method} {path if templated else event.provider}"

    def _of_call(self, event: CallEnded) -> Attributes:
        call, reply, record = event.call, event.reply, event.call.record
        told: Attributes = {
            "tidegate.request_id": call.request_id,
            "tidegate.source": event.source,
            "tidegate.outcome": outcome_of(event),
            "tidegate.attempts": record.attempts,
            "tidegate.overhead_ms": _ms(record.overhead_s(event.ended_at)),
            "tidegate.request_bytes": record.request_bytes,
            "tidegate.response_bytes": record.response_bytes,
        }
        if reply is not None:
            told["http.response.status_code" if event.source == "provider" else "tidegate.status"] = reply.status
        if event.reason:
            told["tidegate.reason"] = event.reason
        told |= {f"tidegate.{name}_ms": _ms(s) for name in _WAITS if (s := getattr(record, f"{name}_s"))}
        return told

    def _attempt(
        self, sent: _Sent, shared: Attributes, name: str, ids: tuple[SpanContext, SpanContext], began_ts: float
    ) -> ReadableSpan:
        attributes: Attributes = {**shared, "network.protocol.name": "http", "network.protocol.version": "1.1"}
        if sent.number > 1:
            attributes["http.request.resend_count"] = sent.number - 1
        if sent.status is not None:
            attributes["http.response.status_code"] = sent.status
        if sent.error:
            attributes["error.type"] = sent.error
        attributes |= {f"tidegate.{one}_ms": _ms(s) for one in _PHASES if (s := getattr(sent.phases, f"{one}_s"))}
        context, parent = ids
        return ReadableSpan(
            name,
            context,
            parent,
            self._resource,
            attributes,
            kind=SpanKind.CLIENT,
            status=Status(StatusCode.ERROR) if sent.error else _UNSET,
            start_time=_ns(began_ts + sent.began_s),
            end_time=_ns(began_ts + sent.ended_s),
            instrumentation_scope=_SCOPE,
        )


def _known(upstream: Upstream) -> _Known:
    profile = upstream.profile
    return _Known(PathMask(profile), frozenset(profile.paths), upstream.origins)


def _error_of(event: CallEnded) -> str:
    """Return the error.type of the call's span: what went wrong for the caller; to a client a 4xx is an error too."""
    if event.error or event.reason:
        return event.error or event.reason
    reply = event.reply
    return str(reply.status) if reply is not None and reply.status >= 400 else ""


def _status(error: str, event: CallEnded) -> Status:
    if not error:
        return _UNSET
    notes = event.call.record.notes
    # A status that an attribute tells needs no words.
    return Status(StatusCode.ERROR, _plain(notes[-1].text) if notes and (event.reason or event.error) else None)


def _attempts(event: CallEnded, ended_s: float) -> Iterator[_Sent]:
    record, reply = event.call.record, event.reply
    upstream_s = record.upstream_s
    for number, one in enumerate(record.earlier, 1):
        error = one.cause if one.status is None else str(one.status) if one.status >= 400 else one.cause
        yield _Sent(number, one.at_s, one.at_s + one.duration_s, one.status, error, one)
        upstream_s -= one.duration_s
    if record.attempts <= len(record.earlier):
        return
    answered = reply is not None and event.source == "provider"
    status = reply.status if reply is not None and answered else None
    error = "" if answered else event.reason
    if event.error or (status is not None and status >= 400):
        error = event.error or str(status)
    began_s = record.attempt_at - record.started_at
    took_s = max(upstream_s, record.dns_s + record.connect_s + record.tls_s + record.first_byte_s + record.body_s)
    yield _Sent(record.attempts, began_s, min(began_s + took_s, ended_s), status, error, record)


def _happened(record: Record, began_ts: float) -> Iterator[SpanEvent]:
    """Yield what held the call up, repeated or refused it, each at its time."""
    for one in record.earlier:
        wait: Attributes = {"tidegate.cause": one.cause, "tidegate.wait_ms": _ms(one.wait_s)}
        yield SpanEvent("tidegate.backoff", wait, _ns(began_ts + one.at_s + one.duration_s))
    for note in record.notes:
        yield SpanEvent(f"tidegate.{note.section}", {"tidegate.note": _plain(note.text)}, _ns(began_ts + note.at_s))


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()  # a file's name may hold what protobuf does not take


def _ms(seconds: float) -> float:
    return int(seconds * 1e6 + 0.5) / 1e3


def _ns(ts: float) -> int:
    return int(ts * 1e9)
