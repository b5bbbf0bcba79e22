import re

import pytest

from proxy.core.call import Headers, field_value
from proxy.edge.listener.trace import continued, follow, restart_trace

SENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_trace_and_parent_ids_are_new_and_the_flags_stay() -> None:
    ((name, value),) = restart_trace([(b"Traceparent", SENT)])
    assert name == b"Traceparent"
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", value)
    assert value[3:35] != SENT[3:35]
    assert value[36:52] != SENT[36:52]


def test_every_call_gets_a_trace_of_its_own() -> None:
    values = {field_value(restart_trace([(b"traceparent", SENT)]), b"traceparent") for _ in range(100)}
    assert len(values) == 100


def test_state_and_baggage_stay_inside_and_the_rest_stays_as_it_was() -> None:
    sent: Headers = [(b"X-A", b"1"), (b"TraceState", b"a=1"), (b"BAGGAGE", b"user=7"), (b"x-a", b"2")]
    assert restart_trace(sent) == [(b"X-A", b"1"), (b"x-a", b"2")]


def test_a_later_version_comes_out_as_the_one_that_we_speak() -> None:
    later = b"cc" + SENT[2:-2] + b"00-what-the-future-will-bring"
    value = field_value(restart_trace([(b"traceparent", later)]), b"traceparent")
    assert value is not None
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-00", value)


@pytest.mark.parametrize(
    "value",
    [
        b"", b"00", b"ff" + SENT[2:], SENT.upper(), SENT + b"\n", b" " + SENT,
        b"00-" + b"0" * 32 + SENT[35:], SENT[:36] + b"0" * 16 + b"-01", SENT[:-1],
    ],
)  # fmt: skip
def test_an_invalid_parent_goes_away(value: bytes) -> None:
    assert restart_trace([(b"traceparent", value), (b"X-A", b"1")]) == [(b"X-A", b"1")]


def test_the_headers_given_stay_as_they_are() -> None:
    sent: Headers = [(b"traceparent", SENT), (b"tracestate", b"a=1")]
    restart_trace(sent)
    assert sent == [(b"traceparent", SENT), (b"tracestate", b"a=1")]


def test_the_caller_s_place_in_a_trace_is_read_and_our_own_span_gets_an_id() -> None:
    trace = continued([(b"X-A", b"1"), (b"TraceParent", SENT)])
    assert trace is not None
    assert (trace.trace_id, trace.parent_id, trace.sampled) == (SENT[3:35].decode(), SENT[36:52].decode(), True)
    assert re.fullmatch("[0-9a-f]{16}", trace.span_id)
    again = continued([(b"traceparent", SENT[:-2] + b"00")])
    assert again is not None
    assert (again.sampled, again.span_id != trace.span_id) == (False, True)


@pytest.mark.parametrize("sent", [[], [b"00-bad"], [SENT, SENT], [b"ff" + SENT[2:]]])
def test_no_parent_a_bad_one_and_two_are_none(sent: list[bytes]) -> None:
    assert continued([(b"traceparent", value) for value in sent]) is None


def test_without_tracing_the_headers_are_what_they_were_and_the_trace_is_known() -> None:
    headers: Headers = [(b"traceparent", SENT), (b"tracestate", b"a=1")]
    passed, trace = follow(headers, None, traced=True, restart=False)
    assert (passed is headers, trace is not None) == (True, True)
    assert follow([(b"X-A", b"1")], None, traced=True, restart=True) == ([(b"X-A", b"1")], None)


def test_with_tracing_a_provider_that_may_know_is_told_our_own_span_and_our_decision() -> None:
    headers: Headers = [(b"A", b"1"), (b"Traceparent", SENT[:-2] + b"00"), (b"tracestate", b"a=1"), (b"baggage", b"b")]
    passed, trace = follow(headers, 1.0, traced=True, restart=False)
    assert trace is not None
    ours = f"00-{trace.trace_id}-{trace.span_id}-00".encode()
    assert passed == [(b"A", b"1"), (b"Traceparent", ours), (b"tracestate", b"a=1"), (b"baggage", b"b")]


def test_a_call_without_a_trace_begins_one_for_its_share_and_tells_only_who_may_know() -> None:
    assert follow([], 0.0, traced=False, restart=False) == ([], None)
    passed, trace = follow([(b"A", b"1")], 1.0, traced=False, restart=False)
    assert trace is not None
    assert (trace.parent_id, trace.sampled) == ("", True)
    assert passed == [(b"A", b"1"), (b"traceparent", f"00-{trace.trace_id}-{trace.span_id}-01".encode())]
    kept, trace = follow([(b"A", b"1")], 1.0, traced=False, restart=True)
    assert (kept, trace is not None) == ([(b"A", b"1")], True)
    begun = sum(follow([], 0.25, traced=False, restart=True)[1] is not None for _ in range(2000))
    assert 350 < begun < 650


def test_a_parent_that_was_no_good_is_replaced_and_its_state_goes() -> None:
    headers: Headers = [(b"traceparent", b"00-bad"), (b"A", b"1"), (b"traceparent", SENT), (b"tracestate", b"a=1")]
    passed, trace = follow(headers, 1.0, traced=True, restart=False)
    assert trace is not None
    assert passed == [(b"traceparent", f"00-{trace.trace_id}-{trace.span_id}-01".encode()), (b"A", b"1")]
    assert trace.parent_id == ""


def test_ids_stay_inside_where_the_trace_is_restarted() -> None:
    sent: Headers = [(b"traceparent", SENT), (b"tracestate", b"a=1")]
    headers, trace = follow(sent, 1.0, traced=True, restart=True)
    assert trace is not None
    [(_, value)] = headers
    assert not any(part.encode() in value for part in (trace.trace_id, trace.parent_id, trace.span_id))
    assert value.endswith(b"-01")
