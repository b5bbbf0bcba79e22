"""GCRA buckets: N calls per window, never more, whichever window is looked at."""

import pytest

from proxy.core.units import Rate
from proxy.sansio.bucket import Bucket, Buckets


def burst(bucket: Bucket | Buckets, now: float) -> int:
    """Take until the bucket says no; return how many it gave."""
    count = 0
    while bucket.take(now):
        count += 1
    return count


@pytest.mark.parametrize(("count", "at_once"), [(1, 1), (5, 1), (10, 1), (19, 1), (20, 2), (100, 10), (1000, 100)])
def test_a_tenth_of_the_limit_may_go_at_once_and_never_less_than_one(count: int, at_once: int) -> None:
    assert burst(Bucket(Rate(count, 60.0), 0.0), 0.0) == at_once


def test_an_empty_bucket_refills_at_nine_tenths_of_the_limit() -> None:
    bucket = Bucket(Rate(100, 1.0), 0.0)
    burst(bucket, 0.0)

    assert burst(bucket, 0.1) == 9
    assert burst(bucket, 0.2) == 9


def test_a_bucket_that_was_left_alone_holds_no_more_than_its_burst() -> None:
    bucket = Bucket(Rate(100, 1.0), 0.0)
    burst(bucket, 0.0)

    assert burst(bucket, 3600.0) == 10


def test_the_wait_of_each_place_in_the_queue_is_known_exactly() -> None:
    bucket = Bucket(Rate(9, 8.1), 100.0)  # one at a time, one each second

    assert [bucket.free_at(100.0, ahead) for ahead in range(3)] == pytest.approx([100.0, 101.0, 102.0])
    bucket.take(100.0)
    assert [bucket.free_at(100.25, ahead) for ahead in range(3)] == pytest.approx([101.0, 102.0, 103.0])
    assert bucket.free_at(101.5, 0) == 101.5


def test_a_call_that_comes_just_before_its_instant_gets_nothing_and_costs_nothing() -> None:
    bucket = Bucket(Rate(9, 8.1), 0.0)
    bucket.take(0.0)
    at = bucket.free_at(0.0, 0)

    assert not bucket.take(at - 1e-6)
    assert bucket.free_at(0.0, 0) == at
    assert bucket.take(at)


def test_a_token_charged_in_advance_is_missing_afterwards() -> None:
    bucket = Bucket(Rate(9, 8.1), 0.0)
    bucket.take(0.0)
    bucket.charge(bucket.free_at(0.0, 0))

    assert bucket.free_at(0.0, 0) == pytest.approx(2.0)


def test_tokens_tell_what_is_left_and_what_is_refilled_so_far() -> None:
    bucket = Bucket(Rate(30, 27.0), 0.0)  # three at once, one each second
    assert bucket.tokens(0.0) == pytest.approx(3.0)

    burst(bucket, 0.0)
    assert bucket.tokens(0.0) == pytest.approx(0.0)
    assert bucket.tokens(0.5) == pytest.approx(0.5)
    assert bucket.tokens(9.0) == pytest.approx(3.0)

    bucket.charge(9.0)
    assert bucket.tokens(9.0) == pytest.approx(2.0)


def test_a_debt_counts_as_no_tokens() -> None:
    bucket = Bucket(Rate(1, 1.0), 0.0)
    bucket.charge(0.0)
    bucket.charge(0.0)

    assert bucket.tokens(0.0) == 0.0


def test_a_call_that_one_limit_refuses_takes_nothing_from_the_other() -> None:
    loose, tight = Bucket(Rate(100, 1.0), 0.0), Bucket(Rate(9, 8.1), 0.0)
    both = Buckets((loose, tight))

    assert both.take(0.0)
    assert not both.take(0.0)
    assert loose.tokens(0.0) == pytest.approx(9.0)


def test_the_wait_under_several_limits_is_that_of_the_tightest() -> None:
    both = Buckets((Bucket(Rate(9, 8.1), 0.0), Bucket(Rate(9, 81.0), 0.0)))
    both.take(0.0)

    assert both.free_at(0.0) == pytest.approx(10.0)
    assert both.free_at(0.0, 2) == pytest.approx(30.0)


def test_a_full_limit_gains_nothing_while_the_queue_waits_for_another() -> None:
    drained, full = Bucket(Rate(9, 8.1), 0.0), Bucket(Rate(9, 81.0), 0.0)
    drained.take(0.0)
    both = Buckets((drained, full))

    assert both.free_at(0.0, 0) == pytest.approx(1.0)
    assert both.free_at(0.0, 1) == pytest.approx(11.0)


def test_no_limits_at_all_let_everything_go() -> None:
    none = Buckets(())

    assert none.take(5.0)
    assert none.free_at(5.0, 1000) == 5.0
