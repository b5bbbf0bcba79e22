import pytest

from proxy.core.call import TraceContext
from proxy.core.events import (
    Acted,
    BreakerChanged,
    CallEnded,
    ConfigRead,
    CredentialHeld,
    DrainStarted,
    Event,
    PauseStarted,
    RequestRefused,
    RetryDenied,
    RetryScheduled,
    SecretRead,
    TokenFetched,
    WouldRefuse,
)
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.edge.observe.lines import Lines, level_of
from tests.support.ended import make_ended


def test_a_call_has_one_line_with_all_of_its_figures() -> None:
    event = make_ended(
        503,
        method="POST",
        outcome=Outcome.FAILED,
        attempts=3,
        queue_s=0.001,
        limiter_s=0.002,
        backoff_s=0.1,
        dns_s=0.003,
        connect_s=0.004,
        tls_s=0.005,
        first_byte_s=0.15,
        body_s=0.0000004,
        upstream_s=0.3951236,
        request_bytes=10,
        response_bytes=2000,
    )
    assert Lines().of(event, 1_790_000_000.1239, "warning") == {
        "ts": "2026-09-21T14:13:20.123Z",
        "level": "warning",
        "event": "call",
        "request_id": "req-1",
        "provider": "stripe",
        "method": "POST",
        "path": "/v1/charges",
        "status": 503,
        "source": "provider",
        "reason": "",
        "attempts": 3,
        "outcome": "failed",
        "duration_ms": 500.0,
        "queue_ms": 1.0,
        "limiter_ms": 2.0,
        "backoff_ms": 100.0,
        "attempt_ms": 0.0,
        "dns_ms": 3.0,
        "connect_ms": 4.0,
        "tls_ms": 5.0,
        "first_byte_ms": 150.0,
        "body_ms": 0.0,
        "upstream_ms": 395.124,
        "overhead_ms": 1.876,
        "request_bytes": 10,
        "response_bytes": 2000,
    }


def test_the_wait_for_a_request_body_is_told_when_there_was_one_and_is_no_overhead() -> None:
    line = Lines().of(make_ended(receive_s=0.3, upstream_s=0.15), 0, "info")
    assert (line["receive_ms"], line["overhead_ms"]) == (300.0, 50.0)
    assert "receive_ms" not in Lines().of(make_ended(), 0, "info")


def test_overhead_is_never_negative() -> None:
    assert Lines().of(make_ended(upstream_s=0.6), 0, "info")["overhead_ms"] == 0.0


def test_a_refusal_of_our_own_takes_its_outcome_from_the_reason() -> None:
    line = Lines().of(make_ended(503, source="sidecar", reason="circuit_open", attempts=0), 0, "warning")
    assert (line["outcome"], line["reason"], line["source"]) == ("ignored", "circuit_open", "sidecar")
    assert Lines().of(make_ended(504, source="network", reason="response_timeout"), 0, "warning")["outcome"] == "failed"
    judged = make_ended(504, source="sidecar", reason="deadline_exceeded", outcome=Outcome.FAILED)
    assert Lines().of(judged, 0, "warning")["outcome"] == "failed"


def test_a_caller_that_left_before_the_answer_has_no_status() -> None:
    line = Lines().of(make_ended(None), 0, "info")
    assert (line["status"], line["outcome"]) == (None, "ignored")


def test_ids_in_the_path_and_the_query_are_masked() -> None:
    event = make_ended(target=b"/v1/charges/ch_3NxyzEXAMPLE123/refunds?email=a%40example.com&limit=3")
    assert Lines().of(event, 0, "info")["path"] == "/v1/charges/*/refunds"
    assert "limit=3" in str(Lines(query=["limit"]).of(event, 0, "info")["path"])
    assert "example.com" not in str(Lines(query=["limit"]).of(event, 0, "info")["path"])


def test_a_call_that_was_sent_again_tells_of_the_attempts_before_the_last_and_why() -> None:
    event = make_ended(attempts=2, backoff_s=0.05)
    record = event.call.record
    record.attempt_at, record.connect_s, record.first_byte_s = 100.01, 0.002, 0.08
    record.repeated(100.1, 503, "503", 0.05)
    record.attempt_at, record.connect_s = 100.15, 0.0
    record.note(100.4, "retry", "not sent again: attempt 2 was the last of retry.attempts")
    line = Lines().of(event, 0, "info")
    assert line["earlier"] == [
        {
            "at_ms": 10.0,
            "duration_ms": 90.0,
            "status": 503,
            "cause": "503",
            "wait_ms": 50.0,
            "connect_ms": 2.0,
            "first_byte_ms": 80.0,
        }
    ]
    text = "not sent again: attempt 2 was the last of retry.attempts"
    assert line["notes"] == [{"at_ms": 400.0, "section": "retry", "text": text}]
    assert line["attempt_ms"] == 150.0


def test_a_plain_call_has_neither_notes_nor_earlier_attempts_nor_a_trace() -> None:
    assert {"earlier", "notes", "attempt_ms", "trace_id"}.isdisjoint(Lines().of(make_ended(), 0, "info"))


def test_a_call_in_a_trace_names_it() -> None:
    event = make_ended()
    event.call.trace = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7", True)
    assert Lines().of(event, 0, "info")["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


def test_headers_are_absent_unless_they_are_on_the_allow_list() -> None:
    event = make_ended(
        sent=[(b"X-Team", b"blue"), (b"Authorization", b"Bearer sk_test_example"), (b"X-Other", b"1")],
        received=[(b"x-team", b"red\xff"), (b"Set-Cookie", b"session=1")],
    )
    assert "headers" not in Lines().of(event, 0, "info")
    line = Lines(headers=["X-TEAM", "Authorization", "Cookie", "Set-Cookie"]).of(event, 0, "info")
    assert line["headers"] == {"request": [("X-Team", "blue")], "response": [("x-team", "red\\xff")]}


def test_the_providers_own_id_of_the_call_is_told() -> None:
    lines = Lines()
    lines.configure({"stripe": Profile(request_id="request-id")})
    event = make_ended(received=[(b"Date", b"x"), (b"Request-Id", b"req_example")])
    assert lines.of(event, 0, "info")["provider_request_id"] == "req_example"
    assert "provider_request_id" not in lines.of(make_ended(), 0, "info")
    assert "provider_request_id" not in lines.of(make_ended(provider="other"), 0, "info")
    for odd in (b"", b"two words", b"x" * 129, b"\xff"):
        assert "provider_request_id" not in lines.of(make_ended(received=[(b"Request-Id", odd)]), 0, "info")


def test_account_and_error_are_told_when_there_are_any() -> None:
    event = make_ended(error="connection_dropped")
    event.call.account = "eu"
    line = Lines().of(event, 0, "error")
    assert (line["account"], line["error"]) == ("eu", "connection_dropped")


def test_a_state_change_is_told_with_the_fields_of_its_event() -> None:
    event = BreakerChanged("stripe", "closed", "open", "5 failures in a row", 5.0)
    assert Lines().of(event, 0.0, "warning") == {
        "ts": "1970-01-01T00:00:00.000Z",
        "level": "warning",
        "event": "breaker_changed",
        "provider": "stripe",
        "old": "closed",
        "new": "open",
        "why": "5 failures in a row",
        "until_s": 5.0,
    }


def test_a_state_change_of_an_account_names_it() -> None:
    event = BreakerChanged("stripe", "closed", "open", "5 failures in a row", 5.0, "eu")
    assert Lines().of(event, 0.0, "warning")["account"] == "eu"


def test_the_time_follows_when_the_second_changes() -> None:
    lines = Lines()
    assert [lines.timestamp(ts) for ts in (59.999, 60.0, 59.5)] == [
        "1970-01-01T00:00:59.999Z",
        "1970-01-01T00:01:00.000Z",
        "1970-01-01T00:00:59.500Z",
    ]


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (make_ended(200), "info"),
        (make_ended(404), "info"),
        (make_ended(429), "info"),
        (make_ended(500), "warning"),
        (make_ended(429, source="sidecar", reason="rate_limited"), "warning"),
        (make_ended(502, source="network", reason="connect_failed"), "warning"),
        (make_ended(200, error="connection_dropped"), "error"),
        (make_ended(None), "info"),
        (RetryScheduled("stripe", "503", 2, 0.1), "debug"),
        (RetryDenied("stripe", "budget"), "warning"),
        (BreakerChanged("stripe", "closed", "open", "ratio", 5.0), "warning"),
        (BreakerChanged("stripe", "half_open", "closed", "probes", 0.0), "info"),
        (PauseStarted("stripe", 3.0, True), "warning"),
        (WouldRefuse("stripe", "breaker", "circuit_open"), "info"),
        (SecretRead("stripe", "env:KEY", "loaded"), "info"),
        (SecretRead("stripe", "env:KEY", "failed", "is empty"), "warning"),
        (CredentialHeld("stripe", "", "only", 5, 15.0), "error"),
        (TokenFetched("stripe", "", "fetched", 3600.0), "info"),
        (TokenFetched("stripe", "", "failed", 0.0, "it answered 500"), "warning"),
        (TokenFetched("stripe", "", "fetched", 3600.0, "the new refresh token can't be written"), "warning"),
        (ConfigRead("loaded"), "info"),
        (ConfigRead("refused", ("a:1: b: c",)), "warning"),
        (RequestRefused("bad_request", 400), "info"),
        (DrainStarted(3, 25.0), "info"),
        (Acted("stripe", "breaker.open", "done", "127.0.0.1"), "warning"),
    ],
)
def test_levels_tell_failures_from_the_usual(event: Event, level: str) -> None:
    assert level_of(event) == level


KNOWN = Profile(attempt_header="X-Retry-Count", paths=("/v1/charges/{id}",), secret_paths=("/hooks/{secret}",))


def line_of(event: CallEnded) -> dict[str, object]:
    lines = Lines()
    lines.configure({"stripe": KNOWN})
    return lines.of(event, 0, "info")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"2", "2"),
        (b"attempt=2; max=3", "attempt=2; max=3"),
        (b"", None),
        (b"9" * 33, None),
        (b"2\x00", None),
        (b"sk_test/example", None),
    ],
)
def test_the_sdk_s_own_count_of_its_attempts_is_shown_where_it_looks_like_one(value: bytes, shown: str | None) -> None:
    assert line_of(make_ended(sent=[(b"x-retry-COUNT", value)])).get("sdk_attempt") == shown


def test_a_key_that_was_made_here_is_told() -> None:
    event = make_ended()
    event.call.minted_key = "0b4c-made-here"
    assert line_of(event)["idempotency_key"] == "0b4c-made-here"
    assert "idempotency_key" not in line_of(make_ended())


def test_a_path_is_shown_by_the_provider_s_own_template() -> None:
    assert line_of(make_ended(target=b"/v1/charges/word"))["path"] == "/v1/charges/{id}"
    assert line_of(make_ended(target=b"/hooks/word"))["path"] == "/hooks/*"
    assert line_of(make_ended(target=b"/hooks/word", provider="other"))["path"] == "/hooks/word"


def test_an_answer_in_the_provider_s_place_is_no_warning() -> None:
    assert level_of(make_ended(source="sidecar")) == "info"
    assert level_of(make_ended(429, source="sidecar", reason="rate_limited")) == "warning"
