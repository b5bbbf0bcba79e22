"""The record of a call: what was tidegate's own time, which attempts there were, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.record import Attempt, Note, Record

seconds = st.floats(0.0, 1e6)


def test_a_fresh_record_has_only_its_beginning() -> None:
    record = Record(10.0)
    moments = {"started_at", "answered_at", "attempt_at"}
    assert {name: getattr(record, name) for name in moments} == dict.fromkeys(moments, 10.0)
    assert {getattr(record, name) for name in set(Record.__slots__) - moments} == {0, ()}


def test_our_own_time_is_neither_the_providers_nor_waiting() -> None:
    record = Record(10.0)
    record.upstream_s, record.queue_s, record.limiter_s, record.backoff_s = 1.0, 0.25, 0.25, 0.125
    record.receive_s = 0.25
    assert record.overhead_s(12.0) == 0.125


@pytest.mark.parametrize("phase", ["dns_s", "connect_s", "tls_s", "first_byte_s", "body_s"])
def test_the_phases_of_an_attempt_are_part_of_its_time_and_not_counted_twice(phase: str) -> None:
    record = Record(10.0)
    record.upstream_s = 1.0
    setattr(record, phase, 0.5)
    assert record.overhead_s(12.0) == 1.0


@given(started=seconds, took=seconds, upstream=seconds, waits=st.tuples(seconds, seconds, seconds, seconds))
def test_our_own_time_is_never_below_zero_nor_above_the_whole(
    started: float, took: float, upstream: float, waits: tuple[float, float, float, float]
) -> None:
    record = Record(started)
    record.upstream_s = upstream
    record.receive_s, record.queue_s, record.limiter_s, record.backoff_s = waits
    assert 0.0 <= record.overhead_s(started + took) <= started + took - started


def test_an_attempt_that_another_follows_is_kept_with_its_phases() -> None:
    record = Record(10.0)
    record.attempt_at, record.dns_s, record.connect_s, record.tls_s, record.first_byte_s = 10.5, 0.1, 0.2, 0.3, 0.4
    record.repeated(11.5, 503, "503", 0.25)
    record.attempt_at = 12.0
    record.repeated(12.5, None, "dropped", 0.5)
    first = Attempt(0.5, 1.0, 503, "503", 0.25, 0.1, 0.2, 0.3, 0.4)
    assert (record.earlier[0], record.earlier[1].at_s, record.earlier[1].status) == (first, 2.0, None)


def test_notes_are_kept_in_order_and_bounded() -> None:
    record = Record(10.0)
    for number in range(40):
        record.note(10.5, "retry", str(number))
    assert record.notes[0] == Note(0.5, "retry", "0")
    assert [note.text for note in record.notes] == [str(number) for number in range(32)]
