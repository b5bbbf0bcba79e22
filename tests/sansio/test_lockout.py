"""Who is not listened to for a while."""

from proxy.sansio.lockout import LOCKED_S, MOST_FAILURES, WITHIN_S, Lockout


def locked(now: float = 0.0) -> Lockout:
    lockout = Lockout()
    assert [lockout.failed("a", now) for _ in range(MOST_FAILURES)] == [False] * (MOST_FAILURES - 1) + [True]
    return lockout


def test_ten_failures_within_a_minute_lock_a_name_for_a_minute_and_no_other() -> None:
    lockout = locked()
    assert (lockout.left_s("a", 0.0), lockout.left_s("a", LOCKED_S - 1), lockout.left_s("b", 0.0)) == (LOCKED_S, 1, 0)


def test_a_lock_lasts_from_the_last_failure_on() -> None:
    lockout = Lockout()
    for second in range(MOST_FAILURES):
        lockout.failed("a", float(second))
    assert lockout.left_s("a", MOST_FAILURES - 1) == LOCKED_S


def test_afterwards_a_name_begins_without_a_past() -> None:
    lockout = locked()
    assert lockout.left_s("a", LOCKED_S) == 0.0
    assert not lockout.failed("a", LOCKED_S)
    assert lockout.left_s("a", LOCKED_S) == 0.0


def test_slow_failures_lock_nobody() -> None:
    lockout = Lockout()
    assert not any(lockout.failed("a", turn * WITHIN_S / (MOST_FAILURES - 1)) for turn in range(100))


def test_a_success_forgets_the_failures_before() -> None:
    lockout = Lockout()
    for _ in range(5):
        for _ in range(MOST_FAILURES - 1):
            assert not lockout.failed("a", 0.0)
        lockout.succeeded("a")


def test_of_too_many_names_the_one_not_heard_of_for_longest_is_forgotten() -> None:
    lockout = locked()
    for number in range(1023):
        lockout.failed(f"n{number}", 1.0)
    assert lockout.left_s("a", 1.0) > 0
    lockout.failed("one more", 1.0)
    assert lockout.left_s("a", 1.0) == 0.0
