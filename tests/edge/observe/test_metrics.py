import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import get_args

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from proxy.core.events import (
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
from tests.support.ended import make_ended

STATE: Snapshots = {
    "stripe": {
        "breaker": {"state": "closed"},
        "rate_limit": {"limits": [{"limit": "100/1s", "tokens": 10.0}], "waiting": 0},
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
        "breaker_state",
        "breaker_transitions_total",
        "retries_total",
        "retries_denied_total",
        "retry_budget_tokens",
        "in_flight",
        "queue_depth",
        "credential_expiry_timestamp_seconds",
        "credential_holds_total",
        "token_fetches_total",
        "credential_last_used_timestamp_seconds",
        "credential_held",
        "certificate_expiry_timestamp_seconds",
        "credential_reloads_total",
        "config_reloads_total",
        "request_bytes_total",
        "response_bytes_total",
        "requests_refused_total",
        "pauses_total",
        "quota_holds_total",
        "would_refuse_total",
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


@pytest.mark.skipif(
    shutil.which("promtool") is None and os.environ.get("CI") != "true",
    reason="promtool is missing: apt install prometheus",
)
def test_promtool_finds_nothing_to_say() -> None:
    metrics = make_metrics()
    for event in EVENTS:
        metrics.observe(event)
    body, _ = metrics.render()
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
