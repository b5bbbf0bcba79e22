from proxy.monitoring.panels import Stat
from proxy.monitoring.signals import golden, overview
from tests.support.asked import asked


def test_the_first_line_counts_what_is_wrong_and_says_0_where_nothing_is() -> None:
    first = overview().panels[:6]
    assert [panel.title for panel in first] == [
        "Alerts firing", "Circuits open", "Providers paused", "Credentials in trouble", "Overrides on",
        "Sidecars in trouble",
    ]  # fmt: skip
    assert all(isinstance(panel, Stat) and "or vector(0)" in panel.queries[0].expr for panel in first)
    assert sum(panel.width for panel in first) == 24


def test_tiles_show_the_few_providers_that_matter_most() -> None:
    found = asked(overview())
    assert found["Availability, lowest"].startswith("bottomk(6, ")
    assert found["Calls per second, most"].startswith("topk(6, ")
    assert found["p95 latency, highest"].startswith("topk(6, ")


def test_only_alerts_of_tidegate_that_fire_for_the_chosen_providers_are_named() -> None:
    found = asked(overview())["Alerts"]
    assert 'alertname=~"Tidegate.*",provider=~"$provider|"' in found
    assert 'ALERTS{alertstate="firing"}' in found


def test_a_token_is_trouble_when_it_cannot_be_fetched_and_a_certificate_a_week_before_it_ends() -> None:
    found = asked(overview())["Credentials in trouble"]
    assert 'result="failed"' in found
    assert "credential_expiry" not in found  # a token that nobody needs is not renewed
    assert "- time() < 7 * 86400" in found


def test_all_four_golden_signals_are_there() -> None:
    found = asked(golden())
    assert {"Calls", "Share of failed calls", "Latency p50", "Latency p95", "Latency p99", "In flight"} <= set(found)


def test_refusals_of_the_sidecar_are_apart_from_failures_of_the_provider() -> None:
    found = asked(golden())
    assert 'source="sidecar"' in found["Refused by tidegate"]
    assert "sidecar" not in found["Failed calls"]
    assert found["Share of failed calls"].startswith("1 - ")


def test_the_time_of_a_call_is_told_apart_by_who_had_it() -> None:
    phases, limiter, own, rest = asked(golden())["Where the time of a call goes"].splitlines()
    assert "upstream_duration_seconds_sum" in phases
    assert "limiter_wait_seconds_sum" in limiter
    assert "overhead_seconds_sum" in own
    assert rest.startswith("clamp_min(sum (rate(tidegate_request_duration_seconds_sum")
