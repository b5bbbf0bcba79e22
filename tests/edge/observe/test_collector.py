"""Spans on their way to a collector that is well, slow, sick or gone: nothing waits, and all are counted."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags
from requests import RequestException

from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.edge.observe import collector as module
from proxy.edge.observe.collector import Collector
from tests.support.framing import values
from tests.support.otlp import exports, spans, told
from tests.support.sidecar import free_port
from tests.support.wire import HOLD, Wire, in_thread, reply

SECRET = "sk_test_example"


class Sent:
    """A collector of ours, and what became of the spans that it was given."""

    def __init__(self, url: str, **headers: str | None) -> None:
        self.exported = self.dropped = 0
        self.slots = {name: [slot(value)] for name, value in headers.items()}
        self.collector = Collector(url, self.slots, redact, self._count)

    def _count(self, exported: int, dropped: int) -> None:
        self.exported += exported
        self.dropped += dropped

    def put(self, count: int = 1, **values: Any) -> None:
        self.collector.put([make_span(**values) for _ in range(count)])

    def until(self, condition: Callable[[], object]) -> None:
        ends_at = time.monotonic() + 20.0
        while not condition():
            assert time.monotonic() < ends_at, (self.exported, self.dropped)
            time.sleep(0.005)


def slot(value: str | None) -> SecretSlot:
    made = SecretSlot(SecretRef("env", "KEY"))
    if value is not None:
        made.put(Secret(value))
    return made


def redact(data: bytes) -> bytes:
    return data.replace(SECRET.encode(), b"[secret]") if SECRET.encode() in data else data


def make_span(name: str = "GET acme", note: str = "", description: str | None = None, **more: Any) -> ReadableSpan:
    return ReadableSpan(
        name,
        SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)),
        resource=Resource({"service.name": "shop"}),
        attributes={"tidegate.attempts": 1, **more},
        events=[SpanEvent("tidegate.retry", {"tidegate.note": note}, 5)] if note else (),
        status=Status(StatusCode.ERROR, description) if description else Status(StatusCode.UNSET),
        start_time=1,
        end_time=9,
    )


@pytest.fixture
def made() -> Iterator[list[Sent]]:
    every: list[Sent] = []
    yield every
    for one in every:
        one.collector.close(0.0)


def test_spans_arrive_as_they_were_made(made: list[Sent]) -> None:
    with in_thread(Wire()) as wire:
        made.append(sent := Sent(wire.url + "/otlp"))
        sent.put(2, note="why", description="what")
        sent.until(lambda: sent.exported == 2)
        [span, _] = spans(wire)
        assert wire.requests[0].head.startswith(b"POST /otlp/v1/traces HTTP/1.1\r\n")
        assert (span.name, span.trace_id.hex()[-2:], span.start_time_unix_nano, span.end_time_unix_nano) == (
            "GET acme", "01", 1, 9,
        )  # fmt: skip
        assert told(span.attributes) == {"tidegate.attempts": 1}
        assert (span.events[0].name, told(span.events[0].attributes)) == ("tidegate.retry", {"tidegate.note": "why"})
        assert (span.status.code, span.status.message) == (2, "what")
        assert told(exports(wire)[0].resource.attributes) == {"service.name": "shop"}
        assert sent.dropped == 0


def test_only_our_own_fields_go_out_whatever_the_environment_says(
    made: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-theirs=1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere", "OTEL_EXPORTER_OTLP_TIMEOUT": "0",
        "OTEL_BSP_MAX_QUEUE_SIZE": "1", "OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_SDK_DISABLED": "true",
        "OTEL_RESOURCE_ATTRIBUTES": "a=b", "http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with in_thread(Wire()) as wire:
        made.append(sent := Sent(wire.url, Authorization=f"Bearer {SECRET}"))
        sent.put(3)
        sent.until(lambda: sent.exported == 3)
        head = wire.requests[0].head
        assert values(head, b"authorization") == [f"Bearer {SECRET}".encode()]
        assert (values(head, b"x-theirs"), values(head, b"content-encoding")) == ([], [])
        assert len(values(head, b"user-agent")) == 1
        assert values(head, b"user-agent")[0].startswith(b"tidegate/")


def test_a_header_follows_its_secret_and_without_it_nothing_goes_out(
    made: list[Sent], caplog: pytest.LogCaptureFixture
) -> None:
    with in_thread(Wire()) as wire:
        made.append(sent := Sent(wire.url, **{"X-Key": None}))
        sent.put()
        sent.until(lambda: sent.dropped == 1)
        assert "the secret of the header X-Key can't be read" in caplog.text
        sent.slots["X-Key"][0].put(Secret("one"))
        sent.put()
        sent.until(lambda: sent.exported == 1)
        sent.collector.use({"X-Other": [slot(None), slot("two")]})
        sent.put()
        sent.until(lambda: sent.exported == 2)
        heads = [request.head for request in wire.requests]
        assert [values(head, b"x-key") for head in heads] == [[b"one"], []]
        assert [values(head, b"x-other") for head in heads] == [[], [b"two"]]


def test_a_secret_is_taken_out_wherever_it_stands(made: list[Sent]) -> None:
    with in_thread(Wire()) as wire:
        made.append(sent := Sent(wire.url))
        sent.put(1, name=f"GET {SECRET}", note=f"n {SECRET}", description=f"d {SECRET}", path=f"/{SECRET}")
        sent.put(1, path="/plain")
        sent.until(lambda: sent.exported == 2)
        hidden, plain = spans(wire)
        assert SECRET.encode() not in wire.requests[0].body
        assert (hidden.name, hidden.status.message) == ("GET [secret]", "d [secret]")
        assert told(hidden.attributes) == {"tidegate.attempts": 1, "path": "/[secret]"}
        assert told(hidden.events[0].attributes) == {"tidegate.note": "n [secret]"}
        assert told(plain.attributes)["path"] == "/plain"


def test_a_collector_that_is_gone_costs_spans_and_nothing_waits_for_it_and_it_may_come_back(
    made: list[Sent], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    made.append(sent := Sent(f"http://127.0.0.1:{port}"))
    sent.put(1000)
    sent.until(lambda: sent.dropped == 1000)
    wire = Wire()
    wire.port = port
    with in_thread(wire):
        sent.put(10)
        sent.until(lambda: sent.exported == 10)
    assert sent.dropped == 1000
    told_by = {record.name for record in caplog.records}
    assert told_by == {"tidegate.tracing"}
    assert len(caplog.records) == 1
    assert f"spans can't be sent to http://127.0.0.1:{port}/v1/traces: ConnectionError;" in caplog.text


@pytest.mark.parametrize("status", [301, 400, 500])
def test_a_refusal_drops_the_spans_and_a_redirect_is_not_followed(
    made: list[Sent], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    with in_thread(Wire()) as elsewhere, in_thread(Wire()) as wire:
        wire.play(reply(status, b"", b"Location: " + elsewhere.url.encode()))
        made.append(sent := Sent(wire.url))
        sent.put(5)
        sent.until(lambda: sent.dropped == 5)
        assert (len(wire.requests), len(elsewhere.requests), sent.exported) == (1, 0, 0)
    assert f"it answered {status}" in caplog.text


def test_no_header_goes_elsewhere_even_if_the_library_asks_for_it() -> None:
    with in_thread(Wire()) as elsewhere, in_thread(Wire()) as wire:
        wire.play(reply(307, b"", b"Location: " + elsewhere.url.encode()))
        session = module._Session({"X-Key": [slot(SECRET)]})
        with pytest.raises(RequestException, match="redirects are not followed"):
            session.post(wire.url, data=b"x", allow_redirects=True)
        assert (len(wire.requests), len(elsewhere.requests)) == (1, 0)


def test_a_slow_collector_fills_a_bounded_queue_and_the_rest_is_dropped(
    made: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_thread(Wire([HOLD])) as wire:
        made.append(sent := Sent(wire.url))
        sent.put(600)  # one batch is on its way and hangs
        sent.until(lambda: wire.requests)
        for _ in range(10):
            sent.put(500)
        assert sent.dropped == 5600 - module.MOST_WAITING + (module.MOST_WAITING - 600) % 500
        assert sent.exported == 0


def test_the_end_waits_so_long_and_no_longer(made: list[Sent]) -> None:
    with in_thread(Wire([HOLD])) as wire:
        made.append(sent := Sent(wire.url))
        sent.put(600)
        sent.until(lambda: wire.requests)
        began_at = time.monotonic()
        sent.collector.close(0.3)
        assert 0.25 < time.monotonic() - began_at < 2.0


def test_the_end_sends_what_waits(made: list[Sent]) -> None:
    with in_thread(Wire()) as wire:
        made.append(sent := Sent(wire.url))
        sent.put(5)
        sent.collector.close()
        assert (sent.exported, len(spans(wire))) == (5, 5)


def test_an_answer_without_end_is_not_read_to_its_end(made: list[Sent]) -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 1_000_000
    with in_thread(Wire([endless, HOLD])) as wire:
        made.append(sent := Sent(wire.url))
        sent.put(1)
        sent.until(lambda: sent.exported == 1)


def test_the_library_itself_says_nothing(made: list[Sent], caplog: pytest.LogCaptureFixture) -> None:
    made.append(Sent("http://127.0.0.1:1"))
    logging.getLogger("opentelemetry.sdk._shared_internal").error("queue full")
    logging.getLogger("urllib3.connectionpool").warning("retrying")
    assert caplog.records == []
