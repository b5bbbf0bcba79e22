import pytest

from proxy.core.call import TraceContext
from proxy.core.events import CallEnded
from proxy.edge.observe.tally import LATENCY_S, OVERHEAD_S, Counts, Histogram, Tally, bounds_with
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


def test_thresholds_of_objectives_stand_among_the_usual_bounds() -> None:
    assert bounds_with([0.3, 0.5, 120.0]) == (*LATENCY_S[:7], 0.25, 0.3, *LATENCY_S[8:], 120.0)
    assert bounds_with([]) == LATENCY_S


def test_new_bounds_begin_whole_calls_and_first_bytes_anew() -> None:
    tally = tally_of(make_ended(first_byte_s=0.1))
    tally.fit(LATENCY_S)
    assert sum(tally.durations().counts) == 1
    tally.fit(bounds_with([0.3]))
    assert tally.durations().counts == [0] * (len(LATENCY_S) + 2)
    assert (sum(tally.phases_s["first_byte"].counts), sum(tally.phases_s["body"].counts)) == (0, 1)
    tally.ended(make_ended(upstream_s=0.1))
    assert tally.durations_s["GET"].bounds == bounds_with([0.3])


def test_all_methods_add_up_to_one_histogram() -> None:
    merged = tally_of(make_ended(), make_ended(method="POST"), make_ended(method="BREW")).durations()
    assert (sum(merged.counts), merged.total) == (3, 1.5)


def test_failures_of_provider_and_network_are_told_from_all_others() -> None:
    failed = (make_ended(503), make_ended(502, source="network", reason="connect_failed"),
              make_ended(200, error="connection_dropped"),
              make_ended(504, source="sidecar", reason="deadline_exceeded"))  # fmt: skip
    others = (make_ended(404), make_ended(429), make_ended(501), make_ended(200, error="caller_gone"),
              make_ended(503, source="sidecar", reason="circuit_open"), make_ended(777))  # fmt: skip
    assert tally_of(*failed, *others).failed() == 4


def test_a_sampled_trace_stands_for_its_bucket_until_the_next_one() -> None:
    tally = Tally()
    for number, sampled in ((1, True), (2, True), (3, False)):
        event = make_ended()
        event.call.trace = TraceContext(str(number), "", "", sampled)
        tally.ended(event)
    histogram = tally.durations_s["GET"]
    assert histogram.exemplars is not None
    assert [(LATENCY_S[place], one.trace_id, one.value) for place, one in histogram.exemplars.items()] == [
        (0.5, "2", 0.5)
    ]


def test_without_traces_nothing_is_kept_for_exemplars() -> None:
    assert tally_of(make_ended()).durations_s["GET"].exemplars is None
