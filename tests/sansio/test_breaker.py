"""When the breaker opens, what it admits, and what closes it."""

import pytest
from pydantic import ValidationError

from proxy.core.outcome import Outcome
from proxy.sansio.breaker import Breaker, Change, Permit, Refusal, Settings

MIDDLE = 0.5  # the random number that leaves an open time as it is
NOW = 1000.0


def admitted(breaker: Breaker, now: float) -> Permit:
    permit = breaker.admit(now)
    assert isinstance(permit, Permit)
    return permit


def send(breaker: Breaker, outcome: Outcome, now: float, random: float = MIDDLE) -> Change | None:
    return breaker.record(admitted(breaker, now), outcome, now, random)


def opened(now: float = NOW, settings: Settings | None = None) -> Breaker:
    breaker = Breaker(settings or Settings())
    for _ in range((settings or Settings()).failures):
        send(breaker, Outcome.FAILED, now)
    assert breaker.snapshot(now)["state"] == "open"
    return breaker


@pytest.mark.parametrize("key", ["window", "open", "open_max", "probe_timeout"])
def test_a_time_of_nothing_at_all_is_a_mistake(key: str) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Settings.model_validate({key: "0s"})


@pytest.mark.parametrize("key", ["failures", "min_requests", "probes", "successes"])
def test_a_count_begins_at_one(key: str) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Settings.model_validate({key: 0})


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker(Settings())

    changes = [send(breaker, Outcome.FAILED, NOW + hour * 3600) for hour in range(5)]

    assert changes == [None] * 4 + [Change("closed", "open", "consecutive failures", 5.0)]


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.REFUSED, Outcome.UNAUTHORISED, Outcome.EXHAUSTED])
def test_any_proper_answer_ends_a_row_of_failures(outcome: Outcome) -> None:
    breaker = Breaker(Settings())
    for _ in range(4):
        send(breaker, Outcome.FAILED, NOW)
    send(breaker, outcome, NOW)

    assert breaker.snapshot(NOW)["consecutive_failures"] == 0
    assert [send(breaker, Outcome.FAILED, NOW) for _ in range(4)] == [None] * 4


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.IGNORED])
def test_a_throttled_or_abandoned_call_is_no_evidence_either_way(outcome: Outcome) -> None:
    breaker = Breaker(Settings())
    for _ in range(4):
        send(breaker, Outcome.FAILED, NOW)
    for _ in range(100):
        assert send(breaker, outcome, NOW) is None

    assert breaker.snapshot(NOW) == {
        "state": "closed", "consecutive_failures": 4, "failure_ratio": 1.0, "opens_for_s": 0.0,
    }  # fmt: skip
    assert send(breaker, Outcome.FAILED, NOW) == Change("closed", "open", "consecutive failures", 5.0)


def test_it_opens_on_the_ratio_once_there_was_enough_traffic() -> None:
    breaker = Breaker(Settings())

    changes = [send(breaker, outcome, NOW) for _ in range(10) for outcome in (Outcome.OK, Outcome.FAILED)]

    assert changes == [None] * 19 + [Change("closed", "open", "failure ratio", 5.0)]


def test_a_ratio_of_old_results_does_not_count() -> None:
    breaker = Breaker(Settings())
    for _ in range(9):
        send(breaker, Outcome.OK, NOW)
        send(breaker, Outcome.FAILED, NOW)

    later = NOW + 31
    assert breaker.snapshot(later)["failure_ratio"] == 0.0
    assert [send(breaker, outcome, later) for outcome in (Outcome.OK, Outcome.FAILED)] == [None, None]


def test_old_successes_do_not_hide_a_new_outage() -> None:
    breaker = Breaker(Settings())
    for _ in range(1000):
        send(breaker, Outcome.OK, NOW)

    changes = [send(breaker, outcome, NOW + 31) for _ in range(10) for outcome in (Outcome.OK, Outcome.FAILED)]

    assert changes[-1] == Change("closed", "open", "failure ratio", 5.0)


def test_the_window_forgets_each_result_once() -> None:
    breaker = Breaker(Settings())
    for window in range(3):
        send(breaker, Outcome.OK, NOW + window * 31)
        send(breaker, Outcome.FAILED, NOW + window * 31)

        assert breaker.snapshot(NOW + window * 31)["failure_ratio"] == 0.5


def test_results_stay_in_the_window_until_it_has_passed() -> None:
    breaker = Breaker(Settings())
    send(breaker, Outcome.FAILED, NOW)
    send(breaker, Outcome.OK, NOW + 20)

    assert breaker.snapshot(NOW + 26)["failure_ratio"] == 0.5
    assert breaker.snapshot(NOW + 31)["failure_ratio"] == 0.0


def test_an_open_breaker_refuses_until_its_time_is_over() -> None:
    breaker = opened()

    assert breaker.admit(NOW) == Refusal(5.0)
    assert breaker.admit(NOW + 4) == Refusal(1.0)
    assert breaker.snapshot(NOW + 4)["opens_for_s"] == 1.0
    assert admitted(breaker, NOW + 5).change == Change("open", "half_open", "probing")


def test_a_half_open_breaker_admits_one_probe_at_a_time() -> None:
    breaker = opened()
    probe = admitted(breaker, NOW + 5)

    assert breaker.admit(NOW + 5) == Refusal(1.0)
    breaker.record(probe, Outcome.OK, NOW + 6, MIDDLE)
    assert admitted(breaker, NOW + 6).change is None


def test_it_closes_after_enough_successful_probes() -> None:
    breaker = opened()

    changes = [send(breaker, Outcome.OK, NOW + 5) for _ in range(3)]

    assert changes == [None, None, Change("half_open", "closed", "probes succeeded")]
    assert breaker.snapshot(NOW + 5) == {
        "state": "closed", "consecutive_failures": 0, "failure_ratio": 0.0, "opens_for_s": 0.0,
    }  # fmt: skip


def test_one_failed_probe_opens_it_again_for_twice_as_long() -> None:
    breaker = opened()
    send(breaker, Outcome.OK, NOW + 5)

    assert send(breaker, Outcome.FAILED, NOW + 5) == Change("half_open", "open", "probe failed", 10.0)
    assert breaker.admit(NOW + 14) == Refusal(1.0)


def test_successes_from_before_a_failed_probe_do_not_help_to_close_it() -> None:
    breaker = opened()
    for outcome in (Outcome.OK, Outcome.OK, Outcome.FAILED):
        send(breaker, outcome, NOW + 5)

    changes = [send(breaker, Outcome.OK, NOW + 15) for _ in range(3)]

    assert changes == [None, None, Change("half_open", "closed", "probes succeeded")]


def test_the_open_time_doubles_up_to_its_longest() -> None:
    breaker, now, times = opened(), NOW + 5, []
    for _ in range(6):
        change = send(breaker, Outcome.FAILED, now)
        assert change is not None
        times.append(change.until_s)
        now += change.until_s

    assert times == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


@pytest.mark.parametrize(("random", "open_s"), [(0.0, 4.0), (0.5, 5.0), (1.0, 6.0)])
def test_the_open_time_varies_by_a_fifth(random: float, open_s: float) -> None:
    breaker = Breaker(Settings(failures=1))

    change = send(breaker, Outcome.FAILED, NOW, random)

    assert change is not None
    assert change.until_s == pytest.approx(open_s)


def test_the_first_open_time_is_the_shortest_even_right_after_the_start() -> None:
    assert send(Breaker(Settings(failures=1)), Outcome.FAILED, 0.0) == Change(
        "closed", "open", "consecutive failures", 5.0
    )


@pytest.mark.parametrize(("closed_s", "open_s"), [(29.0, 10.0), (30.0, 5.0)])
def test_a_close_that_lasted_a_window_forgets_the_outage_before_it(closed_s: float, open_s: float) -> None:
    breaker, closed_at = opened(settings=Settings(failures=1)), NOW + 5
    for _ in range(3):
        send(breaker, Outcome.OK, closed_at)

    change = send(breaker, Outcome.FAILED, closed_at + closed_s)

    assert change == Change("closed", "open", "consecutive failures", open_s)


def test_a_throttled_probe_frees_its_place_without_counting() -> None:
    breaker = opened()

    assert [send(breaker, Outcome.THROTTLED, NOW + 5) for _ in range(9)] == [None] * 9
    assert breaker.snapshot(NOW + 5)["state"] == "half_open"


def test_a_probe_that_never_returns_frees_its_place_after_a_limit() -> None:
    breaker = opened()
    admitted(breaker, NOW + 5)

    assert isinstance(breaker.admit(NOW + 34), Refusal)
    assert isinstance(breaker.admit(NOW + 35), Permit)


def test_a_late_result_of_such_a_probe_still_counts() -> None:
    breaker = opened(settings=Settings(successes=1))
    late = admitted(breaker, NOW + 5)
    admitted(breaker, NOW + 40)

    assert breaker.record(late, Outcome.OK, NOW + 41, MIDDLE) == Change("half_open", "closed", "probes succeeded")


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.FAILED])
def test_a_result_from_before_a_change_is_ignored(outcome: Outcome) -> None:
    breaker = Breaker(Settings(successes=1))
    old = admitted(breaker, NOW)
    for _ in range(5):
        send(breaker, Outcome.FAILED, NOW)
    admitted(breaker, NOW + 5)

    assert breaker.record(old, outcome, NOW + 5, MIDDLE) is None
    assert isinstance(breaker.admit(NOW + 5), Refusal)


def test_a_body_that_fails_later_is_one_more_failure() -> None:
    breaker = Breaker(Settings(failures=1))
    permit = admitted(breaker, NOW)
    breaker.record(permit, Outcome.OK, NOW, MIDDLE)

    assert breaker.record(permit, Outcome.FAILED, NOW, MIDDLE) == Change("closed", "open", "consecutive failures", 5.0)
