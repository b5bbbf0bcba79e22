from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from proxy import __version__
from proxy.edge.observe.families import Families
from proxy.edge.observe.gauges import Snapshots
from proxy.edge.observe.tally import Counts, Tally
from tests.support.ended import make_ended


def registry_of(tallies: Mapping[str, Tally] | None = None, snapshots: Snapshots | None = None) -> CollectorRegistry:
    reloads = Counts()
    reloads.add("loaded")
    registry = CollectorRegistry()
    registry.register(
        Families(
            lambda: tallies or {},
            lambda: snapshots or {},
            [("tidegate_config_reloads_total", "Reloads.", "result", reloads)],
            [("tidegate_log_dropped_total", "Dropped.", lambda: 7), ("tidegate_connections", "Callers.", lambda: 3)],
        )
    )
    return registry


def test_counters_of_a_provider_are_read() -> None:
    tally = Tally()
    tally.ended(make_ended(429, source="sidecar", reason="rate_limited", request_bytes=5, response_bytes=8))
    tally.pauses = 2
    for counts, value in (
        (tally.retries, "503"),
        (tally.retries_denied, "budget"),
        (tally.transitions, "open"),
        (tally.would_refuse, "breaker"),
        (tally.reloads, "failed"),
    ):
        counts.add(value)
    registry = registry_of({"stripe": tally})
    labels = {"provider": "stripe", "method": "GET", "code": "429", "source": "sidecar", "reason": "rate_limited"}
    assert registry.get_sample_value("tidegate_requests_total", labels) == 1
    further: dict[str, str]
    for name, further, expected in (
        ("tidegate_request_bytes_total", {}, 5),
        ("tidegate_response_bytes_total", {}, 8),
        ("tidegate_pauses_total", {}, 2),
        ("tidegate_retries_total", {"cause": "503"}, 1),
        ("tidegate_retries_denied_total", {"why": "budget"}, 1),
        ("tidegate_breaker_transitions_total", {"state": "open"}, 1),
        ("tidegate_would_refuse_total", {"section": "breaker"}, 1),
        ("tidegate_credential_reloads_total", {"result": "failed"}, 1),
    ):
        assert registry.get_sample_value(name, {"provider": "stripe", **further}) == expected, name


def test_what_belongs_to_no_provider_is_read() -> None:
    registry = registry_of()
    assert registry.get_sample_value("tidegate_config_reloads_total", {"result": "loaded"}) == 1
    assert registry.get_sample_value("tidegate_log_dropped_total") == 7
    assert registry.get_sample_value("tidegate_connections") == 3


def test_histograms_are_cumulative() -> None:
    tally = Tally()
    for upstream_s in (0.5, 0.4999, 0.4):
        tally.ended(make_ended(upstream_s=upstream_s, first_byte_s=0.3))
    registry = registry_of({"stripe": tally})
    here = {"provider": "stripe"}

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {**here, **labels})

    assert value("tidegate_overhead_seconds_bucket", le="5e-05") == 1
    assert value("tidegate_overhead_seconds_bucket", le="0.00025") == 2
    assert value("tidegate_overhead_seconds_bucket", le="+Inf") == 3
    assert value("tidegate_overhead_seconds_count") == 3
    assert value("tidegate_request_duration_seconds_sum", method="GET") == 1.5
    assert value("tidegate_upstream_duration_seconds_bucket", phase="first_byte", le="0.25") == 0
    assert value("tidegate_upstream_duration_seconds_bucket", phase="first_byte", le="0.5") == 3
    assert value("tidegate_limiter_wait_seconds_bucket", le="0.001") == 3


def test_a_section_that_is_off_has_no_series() -> None:
    registry = registry_of(snapshots={"stripe": {"retry": {}}})
    gauges = [sample for family in registry.collect() for sample in family.samples if "provider" in sample.labels]
    assert gauges == []


def test_registering_does_not_ask_for_the_state() -> None:
    def fail() -> Snapshots:
        raise AssertionError

    CollectorRegistry().register(Families(dict, fail, [], []))


def test_the_version_that_runs_is_told() -> None:
    assert registry_of().get_sample_value("tidegate_build_info", {"version": __version__}) == 1
