"""Waits that double, with full jitter."""

import pytest

from proxy.sansio.backoff import Backoff

AWS = Backoff(base_s=0.05, throttled_base_s=1.0, cap_s=20.0)


def test_the_longest_wait_doubles_with_every_failure() -> None:
    assert [AWS.wait_s(failures, False, 1.0) for failures in (1, 2, 3, 4)] == pytest.approx([0.05, 0.1, 0.2, 0.4])


def test_a_throttled_call_waits_from_its_own_longer_base() -> None:
    assert [AWS.wait_s(failures, True, 1.0) for failures in (1, 2, 3)] == [1.0, 2.0, 4.0]


def test_the_jitter_is_full() -> None:
    assert AWS.wait_s(1, True, 0.0) == 0.0
    assert AWS.wait_s(1, True, 0.25) == 0.25


def test_no_wait_is_longer_than_the_cap() -> None:
    assert AWS.wait_s(6, True, 1.0) == 20.0
    assert AWS.wait_s(100_000, True, 1.0) == 20.0
