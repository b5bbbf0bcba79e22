import re

import pytest

from proxy.core.call import Headers, field_value
from proxy.edge.listener.trace import restart_trace

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
