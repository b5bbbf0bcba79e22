from typing import Any

import pytest

from proxy.edge.observe.latencies import MOST_POINTS, TICK_S, Latencies, percentiles
from proxy.edge.observe.tally import Tally, bounds_with
from tests.support.ended import make_ended

NONE: dict[str, Any] = {"p50_s": None, "p95_s": None, "p99_s": None, "rate": 0.0, "failed": None, "series": []}


class Scene:
    """Tallies, and a clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.tallies = {"stripe": Tally()}
        self.latencies = Latencies(lambda: self.tallies, lambda: self.now, lambda: self.now + 1e9)

    def call(self, calls: int, status: int = 200, **more: Any) -> None:
        for _ in range(calls):
            self.tallies["stripe"].ended(make_ended(status, **more))

    def wait(self, seconds: float) -> None:
        """Let time pass, with a tick every second."""
        for _ in range(int(seconds)):
            self.now += 1.0
            self.latencies.tick()

    @property
    def told(self) -> dict[str, Any]:
        return dict(self.latencies.of("stripe"))

    @property
    def series(self) -> list[Any]:
        return list(self.told["series"])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([10, 0, 0, 0], (0.5, 0.95, 0.99)),
        ([0, 10, 0, 0], (1.5, 1.95, 1.99)),
        ([50, 45, 5, 0], (1.0, 2.0, 3.6)),
        ([1, 0, 0, 99], (4.0, 4.0, 4.0)),
        ([0, 0, 0, 0], (None, None, None)),
    ],
)
def test_percentiles_are_interpolated_within_their_buckets(
    counts: list[int], expected: tuple[float | None, ...]
) -> None:
    assert percentiles((1.0, 2.0, 4.0), counts) == pytest.approx(expected)


def test_before_any_call_nothing_is_known() -> None:
    assert Scene().told == NONE


def test_the_last_minute_is_told_without_waiting_for_a_point() -> None:
    scene = Scene()
    scene.wait(4)
    scene.call(6)
    scene.call(2, 503)
    told = scene.told
    assert (told["rate"], told["failed"], told["series"]) == (2.0, 0.25, [])
    assert told["p50_s"] == pytest.approx(0.375)  # the middle of the bucket from 250 to 500 ms


def test_a_minute_forgets_what_is_older() -> None:
    scene = Scene()
    scene.call(60)
    scene.wait(30)
    assert scene.told["rate"] == 2.0
    scene.wait(41)
    assert {**scene.told, "series": []} == NONE


def test_every_ten_seconds_become_a_point() -> None:
    scene = Scene()
    scene.call(3)
    scene.call(1, 500)
    scene.wait(TICK_S)
    scene.wait(TICK_S)
    scene.call(1, upstream_s=0.1)
    scene.wait(TICK_S - 1)
    assert scene.series == [
        (1e9 + 1010, 4, 1, pytest.approx(0.375), pytest.approx(0.4875), pytest.approx(0.4975)),
        (1e9 + 1020, 0, 0, None, None, None),
    ]


def test_a_late_tick_makes_one_wider_point() -> None:
    scene = Scene()
    scene.now += 100
    scene.call(50)
    scene.latencies.tick()
    assert [point[:2] for point in scene.series] == [(1e9 + 1100, 50)]
    assert scene.told["rate"] == 0.5


def test_a_provider_whose_bounds_are_new_counts_from_the_next_second() -> None:
    scene = Scene()
    scene.tallies["stripe"].fit(bounds_with([0.3]))
    scene.wait(1)
    scene.call(4)
    scene.wait(1)
    assert (scene.told["rate"], scene.told["failed"]) == (4.0, 0.0)


def test_points_are_bounded() -> None:
    scene = Scene()
    scene.wait(TICK_S * (MOST_POINTS + 5))
    assert len(scene.series) == MOST_POINTS


def test_new_bounds_begin_the_minute_anew_and_leave_the_points() -> None:
    scene = Scene()
    scene.call(5)
    scene.wait(TICK_S)
    scene.tallies["stripe"].fit(bounds_with([0.3]))
    assert scene.told["p50_s"] is None
    scene.call(1)
    scene.wait(TICK_S)
    assert [point[1] for point in scene.series] == [5, 1]


def test_bounds_that_change_and_change_back_begin_the_minute_anew_too() -> None:
    scene = Scene()
    scene.call(5)
    scene.wait(7 * TICK_S)  # so that the minute begins with what is forgotten then
    usual = scene.tallies["stripe"].bounds
    scene.tallies["stripe"].fit(bounds_with([0.3]))
    scene.tallies["stripe"].fit(usual)
    assert (scene.told["rate"], scene.told["p50_s"]) == (0.0, None)


def test_a_provider_that_left_and_came_back_begins_anew() -> None:
    scene = Scene()
    scene.call(5)
    scene.tallies = {}
    assert scene.latencies.of("stripe") == {}
    scene.tallies = {"stripe": Tally()}
    assert scene.told == NONE
