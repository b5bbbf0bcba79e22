"""What the spans of a call say."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from proxy.core.call import TraceContext
from proxy.core.events import CallEnded
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.edge.observe.lines import Lines
from proxy.edge.observe.tracing import Spans, Upstream
from tests.support.ended import make_ended

TRACE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7", sampled=True)
ROOT = TRACE._replace(parent_id="")
ENDED_TS = 1_790_000_000.5
"""What the wall clock shows when the call is over, which began half a second earlier."""


def ms(span: ReadableSpan) -> tuple[float, float]:
    """Return when a span began and ended, in milliseconds after the call began."""
    assert span.start_time is not None
    assert span.end_time is not None
    began = 1_790_000_000.0 * 1e9
    return round((span.start_time - began) / 1e6, 2), round((span.end_time - began) / 1e6, 2)


def spans(event: CallEnded, trace: TraceContext = TRACE, **upstream: Any) -> list[ReadableSpan]:
    profile = upstream.get("profile", Profile(paths=("/v1/charges/{id}",)))
    origins = {"": ("api.acme.example", 443), "eu": ("eu.acme.example", 8443)}
    numbers = iter(range(10, 100, 2))
    maker = Spans("shop", {"stripe": Upstream(profile, origins)}, lambda: ENDED_TS, lambda _: next(numbers))
    return maker.of(event, trace)


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_call_is_a_client_span_beneath_the_caller_s_and_its_attempt_one_beneath_that() -> None:
    call, attempt = spans(make_ended(attempts=1, upstream_s=0.4, first_byte_s=0.4, attempt_at=100.05))
    assert call.context is not None
    assert attempt.context is not None
    assert call.parent is not None
    assert f"{call.context.trace_id:032x}" == f"{attempt.context.trace_id:032x}" == TRACE.trace_id
    assert (f"{call.context.span_id:016x}", f"{call.parent.span_id:016x}") == (TRACE.span_id, TRACE.parent_id)
    assert (attempt.parent, attempt.context.span_id) == (call.context, 11)
    assert (call.kind, attempt.kind) == (SpanKind.CLIENT, SpanKind.CLIENT)
    assert (ms(call), ms(attempt)) == ((0.0, 500.0), (50.0, 450.0))
    assert call.resource.attributes["service.name"] == "shop"


def test_a_call_that_began_the_trace_has_no_parent() -> None:
    assert spans(make_ended(), ROOT)[0].parent is None


def test_the_attributes_are_those_of_the_conventions_and_our_own() -> None:
    event = make_ended(201, method="POST", target=b"/v1/charges/ch_1?x=1", attempts=1, upstream_s=0.4, queue_s=0.02)
    event.call.account = "eu"
    call, attempt = spans(event)
    shared = {
        "http.request.method": "POST",
        "url.template": "/v1/charges/{id}",
        "tidegate.provider": "stripe",
        "tidegate.account": "eu",
        "server.address": "eu.acme.example",
        "server.port": 8443,
        "http.response.status_code": 201,
    }
    assert told(call) == {
        **shared,
        "tidegate.request_id": "req-1",
        "tidegate.source": "provider",
        "tidegate.outcome": "ok",
        "tidegate.attempts": 1,
        "tidegate.overhead_ms": 80.0,
        "tidegate.queue_ms": 20.0,
        "tidegate.request_bytes": 0,
        "tidegate.response_bytes": 0,
    }
    assert told(attempt) == {**shared, "network.protocol.name": "http", "network.protocol.version": "1.1"}


def test_a_span_has_the_name_of_a_template_or_of_the_provider_and_never_of_one_thing() -> None:
    assert spans(make_ended(target=b"/v1/charges/ch_1"))[0].name == "GET /v1/charges/{id}"
    other = spans(make_ended(target=b"/v1/refunds/re_12345"))[0]
    assert (other.name, told(other)["url.path"]) == ("GET stripe", "/v1/refunds/*")
    unknown = spans(make_ended(provider="-"))[0]
    assert (unknown.name, "server.address" in told(unknown)) == ("GET -", False)


def again(**more: Any) -> CallEnded:
    """Make a call whose first two attempts, a refusal and a dropped connection, were followed by another one."""
    event = make_ended(**{"attempts": 3, "upstream_s": 0.3, "first_byte_s": 0.1, **more})
    record = event.call.record
    record.attempt_at = 100.01
    record.repeated(100.11, 503, "503", 0.05)
    record.attempt_at = 100.16
    record.repeated(100.26, None, "dropped", 0.1)
    record.attempt_at = 100.38
    return event


def test_every_attempt_has_its_span_with_its_answer_and_its_number() -> None:
    call, first, second, third = spans(again())
    assert [ms(one) for one in (first, second, third)] == [(10.0, 110.0), (160.0, 260.0), (380.0, 480.0)]
    statuses = [told(one).get("http.response.status_code") for one in (first, second, third)]
    assert statuses == [503, None, 200]
    assert [told(one).get("error.type") for one in (first, second, third)] == ["503", "dropped", None]
    assert [told(one).get("http.request.resend_count") for one in (first, second, third)] == [None, 1, 2]
    assert [one.status.status_code for one in (call, first, second, third)] == [
        StatusCode.UNSET,
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    assert len({one.context.span_id for one in (call, first, second, third) if one.context}) == 4


def test_waits_and_reasons_are_events_at_their_times() -> None:
    event = again()
    event.call.record.note(100.38, "rate_limit", "waited 0.020 s for the limit 5/1s; 0 calls were before it")
    call = spans(event)[0]
    at = [(round((one.timestamp / 1e9 - 1_790_000_000.0) * 1000), one.name) for one in call.events]
    assert at == [(110, "tidegate.backoff"), (260, "tidegate.backoff"), (380, "tidegate.rate_limit")]
    assert [dict(one.attributes or {}) for one in call.events] == [
        {"tidegate.cause": "503", "tidegate.wait_ms": 50.0},
        {"tidegate.cause": "dropped", "tidegate.wait_ms": 100.0},
        {"tidegate.note": "waited 0.020 s for the limit 5/1s; 0 calls were before it"},
    ]


def test_a_refusal_of_our_own_has_no_attempt_and_says_why() -> None:
    event = make_ended(503, source="sidecar", reason="circuit_open", attempts=0)
    event.call.record.note(100.0, "sidecar", "the provider has been failing \udcff")
    [call] = spans(event)
    assert (told(call)["error.type"], told(call)["tidegate.reason"]) == ("circuit_open", "circuit_open")
    assert (told(call)["tidegate.status"], "http.response.status_code" in told(call)) == (503, False)
    assert (call.status.status_code, call.status.description) == (
        StatusCode.ERROR,
        "the provider has been failing \\udcff",
    )


@pytest.mark.parametrize(
    ("event", "call_error", "attempt_error"),
    [
        (make_ended(404, outcome=Outcome.REFUSED), "404", "404"),
        (make_ended(502, source="network", reason="connect_failed"), "connect_failed", "connect_failed"),
        (make_ended(200, error="connection_dropped"), "connection_dropped", "connection_dropped"),
        (make_ended(None, source="sidecar", reason="caller_gone"), "caller_gone", "caller_gone"),
        (make_ended(302), None, None),
    ],
)
def test_errors_have_a_type_and_the_status_of_one(
    event: CallEnded, call_error: str | None, attempt_error: str | None
) -> None:
    call, attempt = spans(event)
    assert (told(call).get("error.type"), told(attempt).get("error.type")) == (call_error, attempt_error)
    expected = StatusCode.UNSET if call_error is None else StatusCode.ERROR
    assert (call.status.status_code, attempt.status.status_code) == (expected, expected)


def test_the_verdict_is_the_one_of_the_log() -> None:
    overdue = make_ended(504, source="sidecar", reason="deadline_exceeded", outcome=Outcome.FAILED)
    line = Lines().of(overdue, 0.0, "warning")
    assert told(spans(overdue)[0])["tidegate.outcome"] == line["outcome"] == "failed"


def test_a_refused_second_attempt_leaves_the_first_one_s_span_alone() -> None:
    event = make_ended(503, attempts=1, upstream_s=0.1)
    event.call.record.repeated(100.1, 503, "503", 0.05)
    assert len(spans(event)) == 2
