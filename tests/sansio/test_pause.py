"""The provider's pause: how long it lasts, and how calls come back afterwards."""

import itertools
import math
from collections.abc import Callable

import pytest

from proxy.sansio.pause import FIND_OUT_S, Pause

HOUR_S = 3600.0


def pause_now(now: float, hint_s: float | None, **config: float) -> Pause:
    """Make a pause that has just heard a first refusal."""
    pause = Pause(config.get("unhinted_s", 5.0), config.get("max_s", 900.0))
    pause.throttled(now, hint_s, pause.epoch)
    return pause


def test_nothing_is_held_back_before_the_first_refusal() -> None:
    pause = Pause(5.0, 900.0)

    assert pause.quiet
    assert pause.paused_s(10.0) == 0.0
    assert pause.free_at(10.0, 1000) == 10.0


def test_a_hint_pauses_until_the_provider_accepts_calls_again() -> None:
    pause = pause_now(100.0, hint_s=30.0)

    assert not pause.quiet
    assert pause.paused_s(110.0) == 20.0
    assert pause.free_at(110.0, 0) == 130.0
    assert pause.paused_s(131.0) == 0.0


def test_a_longer_hint_extends_the_pause_and_is_told() -> None:
    pause = pause_now(100.0, hint_s=30.0)

    assert pause.throttled(101.0, 40.0, pause.epoch) == 40.0
    assert pause.paused_s(101.0) == 40.0


def test_a_shorter_hint_never_shortens_the_pause() -> None:
    pause = pause_now(100.0, hint_s=30.0)

    assert pause.throttled(101.0, 2.0, pause.epoch) == 0.0
    assert pause.paused_s(101.0) == 29.0


def test_the_same_hint_on_every_call_of_a_burst_is_told_once() -> None:
    pause = Pause(5.0, 900.0)

    assert [pause.throttled(100.0 + n / 100, 30.0, 0) for n in range(4)] == [30.0, 0.0, 0.0, 0.0]
    assert pause.paused_s(100.03) == pytest.approx(30.0)


def test_a_pause_that_grows_little_by_little_is_told_each_time_it_has_grown_by_a_second() -> None:
    pause = Pause(5.0, 900.0)

    told = [pause.throttled(100.0 + n / 4, 30.0, 0) for n in range(9)]

    assert told == [30.0, 0.0, 0.0, 0.0, 30.0, 0.0, 0.0, 0.0, 30.0]


def test_a_hint_of_zero_is_no_pause() -> None:
    pause = Pause(5.0, 900.0)

    assert pause.throttled(100.0, 0.0, pause.epoch) == 0.0
    assert pause.quiet


def test_a_hint_beyond_the_longest_pause_is_cut_to_it() -> None:
    pause = Pause(5.0, 900.0)

    assert pause.throttled(100.0, 24 * HOUR_S, pause.epoch) == 900.0


def test_pauses_without_a_hint_double_to_a_minute() -> None:
    pause = Pause(5.0, 900.0)

    told = [pause.throttled(hour * HOUR_S, None, pause.epoch) for hour in range(6)]

    assert told == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_a_first_pause_above_a_minute_stays_as_configured() -> None:
    pause = Pause(90.0, 900.0)

    assert [pause.throttled(hour * HOUR_S, None, pause.epoch) for hour in range(2)] == [90.0, 90.0]


def test_zero_seconds_switch_pauses_without_a_hint_off() -> None:
    pause = pause_now(100.0, hint_s=None, unhinted_s=0.0)

    assert pause.quiet
    assert pause.throttled(100.0, 30.0, pause.epoch) == 30.0


def test_refusals_of_calls_that_were_under_way_do_not_double_the_pause() -> None:
    pause = Pause(5.0, 900.0)
    sent_in = pause.epoch

    assert [pause.throttled(at, None, sent_in) for at in (100.0, 100.1, 104.9, 106.0)] == [5.0, 0.0, 0.0, 0.0]
    assert pause.throttled(107.0, None, pause.epoch) == 10.0


def test_a_refusal_during_the_pause_changes_nothing_without_a_hint() -> None:
    pause = pause_now(100.0, hint_s=None)

    assert pause.throttled(104.0, None, pause.epoch) == 0.0
    assert pause.throttled(106.0, None, pause.epoch) == 10.0


def test_a_success_after_the_pause_ends_the_doubling() -> None:
    pause = pause_now(0.0, hint_s=None)
    pause.throttled(HOUR_S, None, pause.epoch)

    pause.succeeded(2 * HOUR_S, pause.epoch)

    assert pause.quiet
    assert pause.throttled(3 * HOUR_S, None, pause.epoch) == 5.0


def test_a_success_of_a_call_sent_before_the_pause_changes_nothing() -> None:
    pause = Pause(5.0, 900.0)
    sent_in = pause.epoch
    pause.throttled(0.0, None, sent_in)

    pause.succeeded(6.0, sent_in)

    assert not pause.quiet
    assert pause.throttled(HOUR_S, None, pause.epoch) == 10.0


def test_calls_come_back_one_by_one_at_a_pace_that_doubles_every_second() -> None:
    pause = pause_now(100.0, hint_s=10.0)

    slots = []
    now = 110.0
    while now < 112.2:
        slots.append(now)
        pause.charge(now)
        now = pause.free_at(now, 0)

    gaps = [round(later - earlier, 6) for earlier, later in itertools.pairwise(slots)]
    assert gaps[:20] == [0.05] * 20
    assert gaps[21:60] == [0.025] * 39
    assert gaps[61:70] == [0.0125] * 9


def test_the_slot_of_each_place_in_the_queue_is_known_beforehand() -> None:
    pause = pause_now(100.0, hint_s=10.0)
    foreseen = [pause.free_at(100.0, ahead) for ahead in range(200)]

    taken = []
    now = 100.0
    for _ in range(200):
        now = pause.free_at(now, 0)
        taken.append(now)
        pause.charge(now)

    assert foreseen == pytest.approx(taken, abs=1e-6)


def test_a_burst_that_comes_after_an_unused_slot_is_spaced_out_too() -> None:
    pause = pause_now(100.0, hint_s=10.0)

    assert [pause.free_at(110.5, ahead) for ahead in range(3)] == pytest.approx([110.5, 110.55, 110.6])


def test_a_first_success_does_not_end_the_spacing() -> None:
    pause = pause_now(100.0, hint_s=10.0)
    pause.charge(110.0)

    pause.succeeded(110.01, pause.epoch)

    assert not pause.quiet
    assert pause.free_at(110.01, 0) == pytest.approx(110.05)


def test_nothing_is_spaced_out_once_the_ramp_is_over() -> None:
    pause = pause_now(100.0, hint_s=10.0)

    pause.charge(116.0)

    assert pause.free_at(116.0, 500) == 116.0
    pause.succeeded(116.0, pause.epoch)
    assert pause.quiet


def test_a_refusal_during_the_ramp_begins_a_new_pause() -> None:
    pause = pause_now(100.0, hint_s=None)

    assert pause.throttled(105.1, None, pause.epoch) == 10.0
    assert pause.free_at(106.0, 0) == pytest.approx(115.1)


def test_an_endless_hint_is_no_endless_pause() -> None:
    assert pause_now(0.0, hint_s=math.inf).paused_s(0.0) == 900.0


def test_other_settings_count_from_the_next_pause_on() -> None:
    pause = pause_now(0.0, hint_s=None)
    pause.configure(unhinted_s=3.0, max_s=60.0)

    assert pause.paused_s(0.0) == 5.0
    assert [pause.throttled(at, None, pause.epoch) for at in (100.0, 200.0)] == [3.0, 6.0]
    assert pause.throttled(300.0, 900.0, pause.epoch) == 60.0


def test_the_same_settings_leave_the_doubling_where_it_is() -> None:
    pause = pause_now(0.0, hint_s=None)
    pause.configure(unhinted_s=5.0, max_s=900.0)

    assert pause.throttled(100.0, None, pause.epoch) == 10.0


def hold_now(now: float, seconds: float) -> Pause:
    """Make a pause that has just heard that a quota is used up."""
    pause = Pause(5.0, 900.0)
    assert pause.exhausted(now, seconds, pause.epoch) == seconds
    return pause


def test_a_hold_lasts_longer_than_any_pause_and_one_call_at_a_time_follows_it() -> None:
    pause = hold_now(0.0, 3 * HOUR_S)

    assert pause.held
    assert pause.paused_s(0.0) == 3 * HOUR_S
    assert pause.free_at(0.0, 0) == 3 * HOUR_S
    pause.charge(3 * HOUR_S)
    assert pause.free_at(3 * HOUR_S, 0) == 3 * HOUR_S + FIND_OUT_S
    assert pause.free_at(3 * HOUR_S, 2) == 3 * HOUR_S + 3 * FIND_OUT_S


@pytest.mark.parametrize("tell", [lambda pause, epoch: pause.succeeded(60.0, epoch), Pause.found_out])
def test_the_first_answer_after_a_hold_lets_the_others_go(tell: Callable[[Pause, int], None]) -> None:
    pause = hold_now(0.0, 60.0)
    pause.charge(60.0)
    tell(pause, pause.epoch)

    assert not pause.held
    assert pause.free_at(60.0, 0) == 60.0


def test_an_answer_to_a_call_of_before_the_hold_neither_ends_nor_renews_it() -> None:
    pause = hold_now(0.0, 60.0)
    pause.succeeded(1.0, pause.epoch - 1)

    assert pause.exhausted(1.0, 600.0, pause.epoch - 1) == 0.0
    assert pause.held
    assert pause.paused_s(1.0) == 59.0


def test_a_quota_that_is_still_used_up_is_held_anew() -> None:
    pause = hold_now(0.0, 60.0)
    pause.charge(60.0)

    assert pause.exhausted(61.0, 60.0, pause.epoch) == 60.0
    assert pause.free_at(61.0, 0) == 121.0


def test_a_hold_of_no_time_is_none() -> None:
    pause = Pause(5.0, 900.0)

    assert pause.exhausted(0.0, 0.0, pause.epoch) == 0.0
    assert not pause.held
    assert pause.quiet


def test_a_hold_that_is_lifted_lets_calls_come_back_at_the_pace_after_a_pause() -> None:
    pause = hold_now(0.0, HOUR_S)
    pause.lift(100.0)

    assert not pause.held
    assert pause.paused_s(100.0) == 0.0
    assert pause.free_at(100.0, 0) == 100.0
    pause.charge(100.0)
    assert pause.free_at(100.0, 0) == 100.05


def test_an_answer_to_a_call_from_before_is_no_news_of_the_new_secret() -> None:
    pause = hold_now(0.0, HOUR_S)
    before = pause.epoch
    pause.lift(100.0)

    assert pause.exhausted(101.0, 60.0, before) == 0.0
    assert not pause.held
    assert pause.exhausted(101.0, 60.0, pause.epoch) == 60.0


def test_a_hold_and_a_pause_add_up_to_the_later_end() -> None:
    pause = hold_now(0.0, 60.0)

    assert pause.throttled(1.0, 300.0, pause.epoch) == 300.0
    assert pause.held
    assert pause.paused_s(1.0) == 300.0
