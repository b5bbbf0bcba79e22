import sys
from collections.abc import Iterator

import pytest

from proxy.sansio.error_budget import BURNS, LONGEST_S, Indicator

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def indicator_of(*batches: tuple[float, int, int], started_at: float = 0.0) -> Indicator:
    """Build one from batches of events: when, how many good, how many bad."""
    indicator = Indicator(started_at)
    for at, good, bad in batches:
        for number in range(good + bad):
            indicator.count(at, good=number < good)
    return indicator


def test_all_events_and_the_good_ones_are_counted() -> None:
    indicator = indicator_of((1.0, 3, 1), (DAY, 2, 0))
    assert (indicator.events, indicator.good) == (6, 5)


def test_a_window_tells_what_happened_in_it_and_nothing_older() -> None:
    indicator = indicator_of((0.0, 10, 0), (10 * MINUTE, 0, 3))
    assert indicator.within(5 * MINUTE, 12 * MINUTE) == (3, 0)
    assert indicator.within(HOUR, 12 * MINUTE) == (13, 10)
    assert indicator.within(5 * MINUTE, 16 * MINUTE) == (0, 0)


def test_a_window_reaches_back_to_the_beginning_of_a_step() -> None:
    indicator = indicator_of((1000.0, 1, 0), started_at=500.0)
    assert indicator.within(300.0, 1309.9) == (1, 1)
    assert indicator.within(300.0, 1310.0) == (0, 0)


@pytest.mark.parametrize("window_s", [5 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, 3 * DAY, 7 * DAY, 30 * DAY, 90 * DAY])
def test_every_window_forgets_and_none_too_early(window_s: float) -> None:
    indicator = indicator_of((1000.0, 1, 1), started_at=1000.0)
    assert indicator.within(window_s, 1000.0 + window_s) == (2, 1)
    assert indicator.within(window_s, 1000.0 + window_s * 1.04) == (0, 0)


def test_a_window_that_is_not_full_yet_tells_of_all_that_was_counted() -> None:
    assert indicator_of((5.0, 1, 1), started_at=4.0).within(30 * DAY, 6.0) == (2, 1)


def test_a_machine_that_has_just_booted_counts_from_zero() -> None:
    assert indicator_of((0.5, 1, 1)).burn_rate(0.99, 3 * DAY, 1.0) == pytest.approx(50)


def test_a_long_silence_leaves_nothing_behind() -> None:
    indicator = indicator_of((0.0, 5, 5))
    indicator.count(200 * DAY, good=True)
    assert indicator.within(90 * DAY, 200 * DAY) == (1, 1)
    assert indicator.events == 11


def test_the_burn_rate_is_the_bad_share_in_budgets() -> None:
    indicator = indicator_of((0.0, 98, 2))
    assert indicator.burn_rate(0.99, HOUR, 1.0) == pytest.approx(2)
    assert indicator.burn_rate(0.9, HOUR, 1.0) == pytest.approx(0.2)


def test_without_events_nothing_burns_and_nothing_is_known() -> None:
    indicator = Indicator(0.0)
    assert indicator.burn_rate(0.99, HOUR, 1.0) is None
    assert indicator.budget_left(0.99, HOUR, 1.0) is None


def test_the_budget_is_whole_at_first_and_below_zero_when_overspent() -> None:
    assert indicator_of((0.0, 10, 0)).budget_left(0.99, DAY, 1.0) == 1
    assert indicator_of((0.0, 995, 5)).budget_left(0.99, DAY, 1.0) == pytest.approx(0.5)
    assert indicator_of((0.0, 95, 5)).budget_left(0.99, DAY, 1.0) == pytest.approx(-4)


def test_how_much_of_a_window_was_seen_is_told() -> None:
    indicator = Indicator(100.0)
    assert indicator.seen_s(HOUR, 160.0) == 60
    assert indicator.seen_s(HOUR, 100.0 + DAY) == HOUR


def test_windows_as_long_as_the_configuration_allows_are_kept() -> None:
    assert LONGEST_S == 90 * DAY


def test_one_indicator_takes_less_than_40_kib() -> None:
    assert sum(sys.getsizeof(part) for part in parts(indicator_of((0.0, 5, 5), (100 * DAY, 5, 5)))) < 40 * 1024


def parts(whole: object) -> Iterator[object]:
    """Yield an object and all that hangs on its slots."""
    yield whole
    for name in getattr(type(whole), "__slots__", ()):
        yield from parts(getattr(whole, name))
    if isinstance(whole, tuple):
        for part in whole:
            yield from parts(part)


def test_a_share_of_the_budget_is_a_pace_by_the_length_of_its_window() -> None:
    assert [burn.factor(30 * DAY) for burn in BURNS] == pytest.approx([14.4, 6.0, 1.0])
    assert [burn.factor(7 * DAY) for burn in BURNS] == pytest.approx([3.36, 1.4, 1.0])  # below 1 it would just last
