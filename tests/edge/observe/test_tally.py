import pytest

from proxy.core.events import CallEnded
from proxy.edge.observe.tally import LATENCY_S, OVERHEAD_S, Counts, Histogram, Tally
from tests.support.ended import make_ended


def tally_of(*events: CallEnded) -> Tally:
    tally = Tally()
    for event in events:
        tally.ended(event)
    return tally


def test_a_bucket_holds_its_upper_bound_and_the_last_one_all_the_rest() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.0, 1.0, 1.5, 2.0, 2.1, 900.0):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 2]
    assert histogram.total == pytest.approx(906.6)


def test_the_buckets_are_as_documented() -> None:
    assert (LATENCY_S[0], LATENCY_S[-1]) == (0.001, 60.0)
    assert (OVERHEAD_S[0], OVERHEAD_S[-1]) == (0.00005, 0.05)


def test_calls_are_counted_by_what_came_of_them() -> None:
    refused = make_ended(429, source="sidecar", reason="rate_limited")
    tally = tally_of(make_ended(200), make_ended(200), make_ended(503, method="POST"), refused)
    assert tally.requests == {
        ("GET", 200, "provider", ""): 2,
        ("POST", 503, "provider", ""): 1,
        ("GET", 429, "sidecar", "rate_limited"): 1,
    }


def test_a_body_that_was_cut_counts_by_what_cut_it() -> None:
    tally = tally_of(
        make_ended(200, error="connection_dropped"), make_ended(429, reason="rate_limited", error="caller_gone")
    )
    assert tally.requests == {
        ("GET", 200, "provider", "connection_dropped"): 1,
        ("GET", 429, "provider", "caller_gone"): 1,
    }


def test_methods_codes_and_reasons_outside_the_lists_become_other() -> None:
    tally = tally_of(
        *(make_ended(200, method=f"X{number}") for number in range(100)),
        *(make_ended(code) for code in (777, 299, 599)),
        make_ended(500, source="sidecar", reason="made_up"),
        make_ended(None),
    )
    assert tally.requests == {
        ("other", 200, "provider", ""): 100,
        ("GET", "other", "provider", ""): 3,
        ("GET", 599, "provider", ""): 1,
        ("GET", 500, "sidecar", "other"): 1,
    }
    assert set(tally.durations_s) == {"other", "GET"}


def test_times_of_a_call_go_into_their_histograms() -> None:
    event = make_ended(limiter_s=0.2, upstream_s=0.2998, dns_s=0.01, connect_s=0.02, tls_s=0.03, first_byte_s=0.1)
    tally = tally_of(event)
    assert tally.durations_s["GET"].total == 0.5
    assert tally.limiter_wait_s.total == 0.2
    assert tally.overhead_s.total == pytest.approx(0.0002)
    assert {phase: histogram.total for phase, histogram in tally.phases_s.items()} == {
        "dns": 0.01,
        "connect": 0.02,
        "tls": 0.03,
        "first_byte": 0.1,
        "body": 0.0,
    }


def test_a_pooled_connection_counts_no_dns_connect_and_tls() -> None:
    phases = tally_of(make_ended(first_byte_s=0.1)).phases_s
    assert {phase: sum(histogram.counts) for phase, histogram in phases.items()} == {
        "dns": 0,
        "connect": 0,
        "tls": 0,
        "first_byte": 1,
        "body": 1,
    }


def test_a_call_that_was_never_sent_counts_no_phase() -> None:
    phases = tally_of(make_ended(503, source="sidecar", reason="circuit_open", attempts=0)).phases_s
    assert sum(sum(histogram.counts) for histogram in phases.values()) == 0


def test_bytes_are_added_up() -> None:
    tally = tally_of(make_ended(request_bytes=3, response_bytes=5), make_ended(request_bytes=4, response_bytes=6))
    assert (tally.request_bytes, tally.response_bytes) == (7, 11)


def test_labels_without_end_become_other() -> None:
    counts = Counts()
    for number in range(100):
        counts.add(str(number))
    counts.add("0")
    assert len(counts.values) == 65
    assert (counts.values["0"], counts.values["other"]) == (2, 36)
