"""The time of a call as bars."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.waterfall import waterfall


def line(**told: Any) -> dict[str, Any]:
    return {"attempts": 1, "status": 200, "reason": "", "duration_ms": 100.0, "upstream_ms": 0.0, **told}


def bars(**told: Any) -> list[tuple[str, float, float]]:
    return [
        (str(bar["kind"]), float(str(bar["at_ms"])), float(str(bar["duration_ms"]))) for bar in waterfall(line(**told))
    ]


def attempt(at_ms: float, duration_ms: float, wait_ms: float, **told: Any) -> dict[str, Any]:
    return {"at_ms": at_ms, "duration_ms": duration_ms, "wait_ms": wait_ms, "status": 503, "cause": "503", **told}


def test_a_plain_call_is_tidegates_own_time_and_the_wait_for_the_answer() -> None:
    assert bars(upstream_ms=99.0, first_byte_ms=99.0) == [("own", 0.0, 1.0), ("first_byte", 1.0, 99.0)]


def test_every_phase_and_every_wait_has_its_bar() -> None:
    told = bars(
        receive_ms=5.0, queue_ms=10.0, limiter_ms=20.0, attempt_ms=36.0,
        dns_ms=1.0, connect_ms=2.0, tls_ms=3.0, first_byte_ms=40.0, body_ms=10.0, upstream_ms=56.0,
    )  # fmt: skip
    assert told == [
        ("receive", 0.0, 5.0), ("queue", 5.0, 10.0), ("limiter", 15.0, 20.0), ("own", 35.0, 1.0), ("dns", 36.0, 1.0),
        ("connect", 37.0, 2.0), ("tls", 39.0, 3.0), ("first_byte", 42.0, 40.0), ("body", 82.0, 10.0),
        ("own", 92.0, 8.0),
    ]  # fmt: skip


def test_attempts_stand_one_after_another_with_what_put_them_off() -> None:
    told = bars(
        attempts=2,
        earlier=[attempt(10.0, 20.0, 30.0, connect_ms=5.0, first_byte_ms=15.0)],
        attempt_ms=60.0, first_byte_ms=40.0, upstream_ms=60.0, limiter_ms=10.0,
    )  # fmt: skip
    assert told == [
        ("limiter", 0.0, 10.0), ("connect", 10.0, 5.0), ("first_byte", 15.0, 15.0), ("backoff", 30.0, 30.0),
        ("first_byte", 60.0, 40.0),
    ]  # fmt: skip


def test_a_wait_for_the_limit_goes_where_there_is_room_for_it() -> None:
    told = bars(
        attempts=2,
        earlier=[attempt(1.0, 9.0, 20.0, first_byte_ms=9.0)],
        attempt_ms=80.0, first_byte_ms=20.0, upstream_ms=29.0, limiter_ms=50.0,
    )  # fmt: skip
    assert [(kind, at) for kind, at, _ in told] == [
        ("own", 0.0), ("first_byte", 1.0), ("backoff", 10.0), ("limiter", 30.0), ("first_byte", 80.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "kind"), [("response_timeout", "first_byte"), ("connect_failed", "connect"), ("tls_failed", "connect")]
)
def test_an_attempt_that_failed_shows_where(reason: str, kind: str) -> None:
    [_, bar] = waterfall(line(status=502, reason=reason, upstream_ms=90.0))
    assert (bar["kind"], bar["duration_ms"], str(bar["label"]).endswith("in vain")) == (kind, 90.0, True)


def test_an_earlier_attempt_without_an_answer_shows_where_it_failed() -> None:
    told = bars(
        attempts=2, earlier=[attempt(0.0, 50.0, 0.0, status=None, cause="timeout")],
        attempt_ms=50.0, upstream_ms=100.0, first_byte_ms=50.0,
    )  # fmt: skip
    assert told == [("first_byte", 0.0, 50.0), ("first_byte", 50.0, 50.0)]


def test_a_call_that_was_never_sent_is_its_wait_and_our_own_time() -> None:
    assert bars(attempts=0, status=429, reason="rate_limited", limiter_ms=90.0) == [
        ("limiter", 0.0, 90.0),
        ("own", 90.0, 10.0),
    ]


def test_a_refused_second_attempt_ends_with_the_wait_for_it() -> None:
    told = bars(attempts=1, earlier=[attempt(0.0, 40.0, 60.0, first_byte_ms=40.0)], upstream_ms=40.0, backoff_ms=60.0)
    assert told == [("first_byte", 0.0, 40.0), ("own", 40.0, 60.0)]


def test_several_attempts_are_numbered_and_a_single_one_is_not() -> None:
    [bar] = waterfall(line(upstream_ms=100.0, first_byte_ms=100.0))
    assert bar["label"] == "waited for the answer"
    both = waterfall(
        line(attempts=2, earlier=[attempt(0.0, 50.0, 0.0, first_byte_ms=50.0)], attempt_ms=50.0, first_byte_ms=50.0)
    )
    assert [bar["label"] for bar in both] == ["attempt 1: waited for the answer", "attempt 2: waited for the answer"]


MS = st.floats(0, 1000)


@given(first=MS, wait=MS, limiter=MS, queue=MS, last=MS, body=MS)
def test_the_bars_fill_the_call_without_gap_or_overlap(
    first: float, wait: float, limiter: float, queue: float, last: float, body: float
) -> None:
    begun = queue + first + wait + limiter
    told = bars(
        attempts=2,
        earlier=[attempt(queue, first, wait, first_byte_ms=first)],
        queue_ms=queue, limiter_ms=limiter, attempt_ms=begun, first_byte_ms=last, body_ms=body,
        upstream_ms=first + last + body, duration_ms=begun + last + body,
    )  # fmt: skip
    at = 0.0
    for _, begins, lasts in told:
        assert begins == pytest.approx(at, abs=0.02)
        at = begins + lasts
    assert at == pytest.approx(begun + last + body, abs=0.02)
