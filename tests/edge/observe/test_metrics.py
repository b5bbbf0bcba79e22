import re
import subprocess
from collections.abc import Callable
from typing import get_args

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from proxy.core.call import TraceContext
from proxy.core.events import (
    Acted,
    BreakerChanged,
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
from proxy.edge.observe.gauges import Snapshots
from proxy.edge.observe.metrics import Metrics
from proxy.edge.observe.objectives import ObjectiveMeters
from proxy.edge.observe.slo_families import SloFamilies
from proxy.sansio.slo import Slo
from tests.support.ended import make_ended
from tests.support.programs import program

SLO = Slo.model_validate({"latency": {"percentile": 95.0, "under": "300ms"}})
STATE: Snapshots = {
    "stripe": {
        "breaker": {"state": "closed"},
        "rate_limit": {"limits": [{"limit": "100/1s", "tokens": 10.0}], "waiting": 0, "paused_s": 0.0},
        "bulkhead": {"in_flight": 0, "queued": 0},
        "retry": {"budget_tokens": 500.0},
        "credential": {"expires_ts": 1.79e9},
    }
}
EVENTS: tuple[Event, ...] = (
    make_ended(limiter_s=0.1, upstream_s=0.2, dns_s=0.01, connect_s=0.02, tls_s=0.03, first_byte_s=0.1),
    RetryScheduled("stripe", "503", 2, 0.1),
    RetryDenied("stripe", "budget"),
    BreakerChanged("stripe", "closed", "open", "ratio", 5.0),
    PauseStarted("stripe", 3.0, True),
    PauseStarted("stripe", 60.0, False, "exhausted"),
    WouldRefuse("stripe", "breaker", "circuit_open"),
    SecretRead("stripe", "env:KEY", "loaded"),
    CredentialHeld("stripe", "", "new", 5, 15.0),
    TokenFetched("stripe", "eu", "fetched", 3600.0),
    ConfigRead("loaded"),
    Acted("stripe", "breaker.open", "done", "127.0.0.1"),
    RequestRefused("bad_request", 400),
    DrainStarted(3, 25.0),
)


def make_metrics(snapshots: Callable[[], Snapshots] = lambda: STATE) -> Metrics:
    return Metrics(["stripe", "twilio"], snapshots, log_dropped=lambda: 1, connections=lambda: 2)


def own(text: bytes) -> set[str]:
    return {line for line in text.decode().splitlines() if line.startswith("tidegate_")}


def test_every_kind_of_event_is_counted() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    metrics = make_metrics()
    for event in EVENTS:
        metrics.observe(event)
    lines = own(metrics.render()[0])
    for line in (
        'tidegate_requests_total{code="200",method="GET",provider="stripe",reason="",source="provider"} 1.0',
        'tidegate_retries_total{cause="503",provider="stripe"} 1.0',
        'tidegate_retries_denied_total{provider="stripe",why="budget"} 1.0',
        'tidegate_breaker_transitions_total{provider="stripe",state="open"} 1.0',
        'tidegate_pauses_total{provider="stripe"} 1.0',
        'tidegate_quota_holds_total{provider="stripe"} 1.0',
        'tidegate_would_refuse_total{provider="stripe",section="breaker"} 1.0',
        'tidegate_credential_reloads_total{provider="stripe",result="loaded"} 1.0',
        'tidegate_credential_holds_total{provider="stripe",secret="new"} 1.0',
        'tidegate_token_fetches_total{provider="stripe",result="fetched"} 1.0',
        'tidegate_config_reloads_total{result="loaded"} 1.0',
        'tidegate_requests_refused_total{reason="bad_request"} 1.0',
        "tidegate_log_dropped_total 1.0",
        "tidegate_connections 2.0",
    ):
        assert line in lines


def test_the_names_are_the_documented_ones() -> None:
    metrics = make_metrics()
    for event in EVENTS:
        metrics.observe(event)
    names = set(re.findall(r"^# TYPE tidegate_(\w+)", metrics.render()[0].decode(), re.MULTILINE))
    assert names == {
        "requests_total",
        "request_duration_seconds",
        "upstream_duration_seconds",
        "overhead_seconds",
        "limiter_wait_seconds",
        "limiter_tokens",
        "build_info",
        "breaker_state",
        "breaker_transitions_total",
        "retries_total",
        "retries_denied_total",
        "retry_budget_tokens",
        "in_flight",
        "pause_remaining_seconds",
        "queue_depth",
        "credential_expiry_timestamp_seconds",
        "credential_holds_total",
        "token_fetches_total",
        "credential_last_used_timestamp_seconds",
        "credential_held",
        "credential_unreadable",
        "certificate_expiry_timestamp_seconds",
        "credential_reloads_total",
        "config_reloads_total",
        "request_bytes_total",
        "response_bytes_total",
        "requests_refused_total",
        "pauses_total",
        "quota_holds_total",
        "would_refuse_total",
        "operator_override",
        "admin_actions_total",
        "log_dropped_total",
        "connections",
    }


def test_a_provider_that_is_not_configured_is_counted_as_a_dash() -> None:
    metrics = make_metrics()
    for number in range(100):
        metrics.observe(make_ended(404, provider=f"p{number}", source="sidecar", reason="unknown_provider"))
    providers = set(re.findall(r'provider="([^"]*)"', metrics.render()[0].decode()))
    assert providers == {"stripe", "twilio", "-"}


def test_a_cause_of_a_retry_outside_the_list_becomes_other() -> None:
    metrics = make_metrics()
    metrics.observe(RetryScheduled("stripe", "777", 2, 0.1))
    assert 'tidegate_retries_total{cause="other",provider="stripe"} 1.0' in own(metrics.render()[0])


def test_series_stay_bounded_whatever_callers_and_providers_send() -> None:
    metrics = make_metrics()
    sizes = []
    for start in (0, 5000):
        for number in range(start, start + 5000):
            metrics.observe(make_ended(100 + number % 900, method=f"M{number}", provider=f"p{number}"))
            metrics.observe(RetryScheduled("stripe", str(number), 2, 0.1))
            metrics.observe(RequestRefused(f"reason{number}", 400))
        sizes.append(len(own(metrics.render()[0])))
    assert sizes[0] == sizes[1] < 700


def test_a_reload_keeps_what_was_counted_for_providers_that_stay() -> None:
    metrics = make_metrics()
    metrics.observe(PauseStarted("stripe", 1.0, False))
    metrics.configure(["stripe", "openai"])
    lines = own(metrics.render()[0])
    assert 'tidegate_pauses_total{provider="stripe"} 1.0' in lines
    assert 'tidegate_pauses_total{provider="openai"} 0.0' in lines
    assert not any("twilio" in line for line in lines)


def test_what_an_objective_speaks_of_is_a_bound_of_its_providers_buckets_and_of_no_others() -> None:
    metrics = make_metrics()
    metrics.configure(["stripe", "twilio"], {"stripe": SLO})
    for provider in ("stripe", "twilio"):
        metrics.observe(make_ended(provider=provider, first_byte_s=0.1))
    text = metrics.render()[0].decode()
    assert {
        (name, re.findall(rf'_{name}_bucket{{le="0\.3",.*provider="(.*?)"', text)[0])
        for name in ("request_duration_seconds", "upstream_duration_seconds")
    } == {("request_duration_seconds", "stripe"), ("upstream_duration_seconds", "stripe")}
    assert 'le="0.3",method="GET",provider="twilio"' not in text


def test_a_reload_that_moves_a_bound_begins_those_histograms_anew_and_nothing_else() -> None:
    metrics = make_metrics()
    count = 'tidegate_request_duration_seconds_count{method="GET",provider="stripe"} 1.0'
    metrics.observe(make_ended())
    metrics.configure(["stripe"], {})
    assert count in own(metrics.render()[0])
    metrics.configure(["stripe"], {"stripe": SLO})
    lines = own(metrics.render()[0])
    assert count not in lines
    assert 'tidegate_requests_total{code="200",method="GET",provider="stripe",reason="",source="provider"} 1.0' in lines


def test_further_values_and_families_can_be_told() -> None:
    metrics = make_metrics()
    metrics.also("tidegate_spans_dropped_total", "Spans.", lambda: 4)
    metrics.also("tidegate_ready", "Ready.", lambda: True)
    meters = ObjectiveMeters(lambda: 100.0)
    meters.configure({"stripe": SLO})
    metrics.register(SloFamilies(meters.readings, meters.excluded))
    assert {
        "tidegate_spans_dropped_total 4.0",
        "tidegate_ready 1.0",
        'tidegate_slo_events_total{provider="stripe",slo="latency"} 0.0',
    } <= own(metrics.render()[0])


def test_the_trace_of_a_call_is_the_exemplar_of_its_bucket() -> None:
    metrics = make_metrics()
    for sampled in (True, False):
        event = make_ended()
        event.call.trace = TraceContext(f"{sampled}".rjust(32, "0"), "1" * 16, "2" * 16, sampled)
        metrics.observe(event)
    body = metrics.render("application/openmetrics-text")[0].decode()
    families = parse_openmetrics(body)  # type: ignore[no-untyped-call] # the library's
    samples = [sample for family in families for sample in family.samples if sample.exemplar is not None]
    assert [(one.labels["le"], one.exemplar.labels, one.exemplar.value) for one in samples] == [
        ("0.5", {"trace_id": "True".rjust(32, "0")}, 0.5)
    ]
    assert "trace_id" not in metrics.render()[0].decode()


def test_the_state_is_read_at_each_scrape() -> None:
    tokens = iter([10.0, 9.0])

    def snapshots() -> Snapshots:
        return {"stripe": {"retry": {"budget_tokens": next(tokens)}}}

    metrics = make_metrics(snapshots)
    for expected in ("10.0", "9.0"):
        assert f'tidegate_retry_budget_tokens{{provider="stripe"}} {expected}' in own(metrics.render()[0])


def test_the_process_is_described_too() -> None:
    text = make_metrics().render()[0].decode()
    assert "process_resident_memory_bytes" in text
    assert "python_info" in text


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=abc", "application/json"])
def test_plain_text_is_the_usual_format(accept: str) -> None:
    assert make_metrics().render(accept)[1] == "text/plain; version=0.0.4; charset=utf-8"


def test_openmetrics_is_served_to_who_asks_for_it() -> None:
    metrics = make_metrics()
    for event in EVENTS:
        metrics.observe(event)
    body, kind = metrics.render("application/openmetrics-text;version=1.0.0;evil,text/plain;q=0.5")
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith(b"# EOF\n")
    families = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call] # the library's
    assert "tidegate_requests" in {family.name for family in families}


def test_promtool_finds_nothing_to_say() -> None:
    metrics = make_metrics()
    for event in EVENTS:
        metrics.observe(event)
    body, _ = metrics.render()
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=body, capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
