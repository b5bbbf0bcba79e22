"""A real sidecar, its callers' traces, and a collector that decodes what comes."""

import contextlib
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.caller import run_on_uvloop
from tests.support.framing import values
from tests.support.otlp import exports, spans, told
from tests.support.sidecar import Sidecar, free_port
from tests.support.traffic import Traffic
from tests.support.wire import CLOSE, HOLD, Wire, in_thread, reply

pytestmark = pytest.mark.e2e

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
UNSAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-00"}


def get(sidecar: Sidecar, path: str, headers: dict[str, str] | None = None) -> int:
    with contextlib.closing(HTTPConnection("127.0.0.1", sidecar.port, timeout=10)) as caller:
        caller.request("GET", path, headers=headers or {})
        answer = caller.getresponse()
        answer.read()
        return answer.status


def arrived(wire: Wire, count: int) -> list[Span]:
    ends_at = time.monotonic() + 15.0
    while len(found := spans(wire)) < count:
        assert time.monotonic() < ends_at, found
        time.sleep(0.02)
    return found


def counted(sidecar: Sidecar, name: str) -> float:
    lines = sidecar.admin("/metrics")[1].decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def tracing(url: str, **more: Any) -> dict[str, Any]:
    return {"tracing": {"endpoint": url, **more}}


def test_a_call_that_was_sent_again_is_a_tree_beneath_the_caller_s_span(tmp_path: Path) -> None:
    with in_thread(Wire(reply(503), [0.05, reply()])) as provider, in_thread(Wire()) as collector:
        with Sidecar(tmp_path, {"acme": {"base_url": provider.url}}, tracing(collector.url)) as sidecar:
            assert get(sidecar, "/acme/v1/things/12345", SAMPLED) == 200
            call, first, second = arrived(collector, 3)
            [line] = [line for line in sidecar.log(all_of_it=True) if line["event"] == "call"]
        assert {span.trace_id.hex() for span in (call, first, second)} == {TRACE} == {line["trace_id"]}
        assert call.parent_span_id.hex() == PARENT
        assert {first.parent_span_id, second.parent_span_id} == {call.span_id}
        assert [told(span.attributes).get("http.response.status_code") for span in (call, first, second)] == [
            200,
            503,
            200,
        ]
        assert told(second.attributes)["http.request.resend_count"] == 1
        assert told(call.attributes)["tidegate.request_id"] == line["request_id"]
        assert [event.name for event in call.events] == ["tidegate.backoff"]
        assert call.start_time_unix_nano < first.start_time_unix_nano < first.end_time_unix_nano
        assert first.end_time_unix_nano < second.start_time_unix_nano < second.end_time_unix_nano
        assert second.end_time_unix_nano <= call.end_time_unix_nano <= time.time_ns()
        assert second.end_time_unix_nano - second.start_time_unix_nano >= 50_000_000
        [sent, _] = [values(request.head, b"traceparent")[0] for request in provider.requests]
        assert TRACE.encode() not in sent  # restarted: a third party learns nothing of ours


def test_the_caller_decides_and_without_a_caller_s_trace_the_share_does(tmp_path: Path) -> None:
    with in_thread(Wire()) as provider, in_thread(Wire()) as collector:
        providers = {"acme": {"base_url": provider.url, "trace": "pass"}}
        with Sidecar(tmp_path, providers, tracing(collector.url, sample=1)) as sidecar:
            assert get(sidecar, "/acme/unsampled", UNSAMPLED) == 200
            assert get(sidecar, "/acme/root") == 200
            call, attempt = arrived(collector, 2)
            assert sidecar.stop() == 0
        assert len(spans(collector)) == 2
        assert (told(call.attributes)["url.path"], call.parent_span_id) == ("/root", b"")
        assert attempt.parent_span_id == call.span_id
        unsampled, root = (values(request.head, b"traceparent")[0] for request in provider.requests)
        assert unsampled.startswith(f"00-{TRACE}-".encode())
        assert unsampled.endswith(b"-00")
        assert PARENT.encode() not in unsampled
        assert root == f"00-{call.trace_id.hex()}-{call.span_id.hex()}-01".encode()


@pytest.mark.parametrize("sick", ["down", "slow", "500"])
def test_a_sick_collector_slows_no_call_down_and_its_recovery_is_seen(tmp_path: Path, sick: str) -> None:
    async def calls(port: int) -> None:
        async with Traffic(port, "/acme/", pause_s=0) as traffic:
            await traffic.more(400)
        assert (list(traffic.statuses), traffic.failures) == ([200], [])

    collector = Wire([HOLD] if sick == "slow" else reply(500))
    collector.port = free_port()
    section = tracing(f"http://127.0.0.1:{collector.port}", sample=1)
    with in_thread(Wire()) as provider, Sidecar(tmp_path, {"acme": {"base_url": provider.url}}, section) as sidecar:
        if sick == "down":
            run_on_uvloop(calls(sidecar.port))
            until(lambda: counted(sidecar, "tidegate_spans_dropped_total") >= 800)
            collector.play(reply())
            with in_thread(collector):
                recovered(sidecar, collector)
        else:
            with in_thread(collector):
                run_on_uvloop(calls(sidecar.port))
                until(lambda: counted(sidecar, "tidegate_spans_dropped_total") >= 512)
                collector.play(reply())
                recovered(sidecar, collector)
        warnings = [line for line in sidecar.log(all_of_it=True) if line.get("logger") == "tidegate.tracing"]
        assert len(warnings) == 1
        assert sidecar.stop() == 0


def recovered(sidecar: Sidecar, collector: Wire) -> None:
    assert get(sidecar, "/acme/well", SAMPLED) == 200
    until(lambda: counted(sidecar, "tidegate_spans_exported_total") >= 2)
    until(lambda: any(told(span.attributes)["url.path"] == "/well" for span in spans(collector)))


def until(condition: Any, within_s: float = 25.0) -> None:
    ends_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.05)


def test_what_waits_is_sent_before_the_end_and_a_collector_that_hangs_holds_the_end_up_no_longer_than_two_seconds(
    tmp_path: Path,
) -> None:
    with in_thread(Wire()) as provider, in_thread(Wire()) as collector:
        providers = {"acme": {"base_url": provider.url}}
        with Sidecar(tmp_path / "a", providers, tracing(collector.url)) as sidecar:
            assert get(sidecar, "/acme/last", SAMPLED) == 200
            assert sidecar.stop() == 0
            assert len(spans(collector)) == 2
        collector.play([HOLD])
        with Sidecar(tmp_path / "b", providers, tracing(collector.url)) as sidecar:
            assert get(sidecar, "/acme/last", SAMPLED) == 200
            began_at = time.monotonic()
            assert sidecar.stop() == 0
            assert time.monotonic() - began_at < 6.0


def test_a_reload_begins_changes_and_ends_tracing_and_takes_the_secret_along(tmp_path: Path) -> None:
    with in_thread(Wire([reply(), CLOSE])) as provider, in_thread(Wire()) as one, in_thread(Wire()) as two:
        providers = {"acme": {"base_url": provider.url}}
        with Sidecar(tmp_path, providers, env={"COLLECTOR": "Bearer sk_test_example"}) as sidecar:
            assert get(sidecar, "/acme/none", SAMPLED) == 200
            for wire in (one, two):
                reloaded(sidecar, providers, tracing(wire.url, headers={"Authorization": "env:COLLECTOR"}))
                assert get(sidecar, "/acme/some", SAMPLED) == 200
                assert {told(span.attributes)["url.path"] for span in arrived(wire, 2)} == {"/some"}
                assert values(wire.requests[0].head, b"authorization") == [b"Bearer sk_test_example"]
            reloaded(sidecar, providers, {})
            assert get(sidecar, "/acme/none", SAMPLED) == 200
            assert sidecar.stop() == 0
        assert (len(spans(one)), len(spans(two))) == (2, 2)
        assert [told(batch.resource.attributes)["service.name"] for batch in exports(one)] == ["tidegate"]
        assert b"sk_test_example" not in sidecar.stdout.read_bytes() + sidecar.stderr.read_bytes()


def reloaded(sidecar: Sidecar, providers: dict[str, Any], settings: dict[str, Any]) -> None:
    before = sum(line["event"] == "config_read" for line in sidecar.log())
    sidecar.write(providers, settings)
    until(lambda: sum(line["event"] == "config_read" for line in sidecar.log()) > before)
