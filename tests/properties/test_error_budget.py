"""An indicator tells what a plain list of all events would tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.error_budget import TICK_S, Indicator

Event = tuple[float, bool]

# From a moment between two calls to silences that outlast a ring.
GAPS = st.one_of(
    st.floats(0, 1), st.floats(0, 60), st.floats(0, 4000), st.floats(0, 300_000), st.just(10.0), st.just(7200.0)
)
WINDOWS = st.sampled_from([300.0, 1800.0, 3600.0, 21600.0, 86400.0, 259200.0, 604800.0, 2592000.0, 7776000.0])
STEPS = {3600.0: 1, 259200.0: 30, 7776000.0: 720}  # in ticks, by the longest window that has them


def told_by(events: list[Event], window_s: float, now: float) -> tuple[int, int]:
    """Return what a list says: all events since the beginning of the step in which the window begins."""
    step = next(ticks for longest, ticks in STEPS.items() if window_s <= longest)
    begins = int((now - window_s) // TICK_S) // step
    kept = [good for at, good in events if int(at // TICK_S) // step >= begins]
    return len(kept), sum(kept)


@given(
    started_at=st.floats(0, 1e6),
    history=st.lists(st.tuples(GAPS, st.booleans()), max_size=60),
    asked=st.lists(st.tuples(GAPS, WINDOWS), min_size=1, max_size=6),
)
def test_windows_agree_with_a_list_of_all_events(
    started_at: float, history: list[tuple[float, bool]], asked: list[tuple[float, float]]
) -> None:
    now, indicator, events = started_at, Indicator(started_at), list[Event]()
    for gap, good in history:
        now += gap
        indicator.count(now, good=good)
        events.append((now, good))
    for gap, window_s in asked:
        now += gap
        assert indicator.within(window_s, now) == told_by(events, window_s, now)


@given(
    goods=st.lists(st.booleans(), max_size=40),
    objective=st.floats(0.5, 0.9999),
    window_s=WINDOWS,
)
def test_budget_and_burn_rate_are_two_sides_of_one_ratio(goods: list[bool], objective: float, window_s: float) -> None:
    indicator = Indicator(0.0)
    for good in goods:
        indicator.count(1.0, good=good)
    burn, left = indicator.burn_rate(objective, window_s, 2.0), indicator.budget_left(objective, window_s, 2.0)
    if not goods:
        assert burn is left is None
        return
    assert burn is not None
    assert left is not None
    assert burn == pytest.approx(goods.count(False) / len(goods) / (1 - objective))
    assert left == pytest.approx(1 - burn)
