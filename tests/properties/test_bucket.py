"""The limiter is never above its limit in any window, whatever comes when, and wastes little of it."""

import asyncio
import bisect
import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.errors import RateLimited
from proxy.core.units import Rate
from proxy.policies.rate_limit import RateLimit
from proxy.sansio.bucket import Bucket, Buckets
from tests.support.script import Script, make_call, make_runtime
from tests.support.virtual import run

rates = st.builds(Rate, st.integers(1, 60), st.sampled_from([0.1, 1.0, 7.5, 60.0]))
gaps = st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.01, 0.1, 0.33, 1.0, 20.0]), min_size=1, max_size=300)
patience = st.none() | st.sampled_from([0.0, 0.001, 0.05, 0.5])


def busiest_window(times: list[float], window_s: float) -> int:
    """Count the calls of the busiest window, both ends included."""
    return max((bisect.bisect_right(times, at + window_s) - first for first, at in enumerate(times)), default=0)


@given(rate=rates, gaps=gaps)
def test_no_window_holds_more_than_the_limit(rate: Rate, gaps: list[float]) -> None:
    bucket = Bucket(rate, 0.0)
    now, taken = 0.0, list[float]()
    for gap in gaps:
        now += gap
        if bucket.take(now):
            taken.append(now)

    assert busiest_window(taken, rate.window_s) <= rate.count


@given(rate=rates)
def test_a_greedy_caller_gets_nearly_all_of_the_limit_and_never_more(rate: Rate) -> None:
    bucket = Bucket(rate, 0.0)
    now, taken = 0.0, list[float]()
    while (now := bucket.free_at(now, 0)) < 20 * rate.window_s:
        assert bucket.take(now)
        taken.append(now)

    assert len(taken) >= 0.85 * 20 * rate.count
    assert busiest_window(taken, rate.window_s) <= rate.count


@given(limits=st.lists(rates, max_size=3), gaps=gaps, queue=st.integers(1, 60))
def test_the_waits_foretold_are_the_waits_that_come(limits: list[Rate], gaps: list[float], queue: int) -> None:
    buckets = Buckets([Bucket(rate, 0.0) for rate in limits])
    now = 0.0
    for gap in gaps:
        now += gap
        buckets.take(now)
    foretold = [buckets.free_at(now, ahead) for ahead in range(queue)]

    for at in foretold:
        now = buckets.free_at(now)
        assert abs(now - at) < 1e-6
        assert buckets.take(now)


async def _play(limits: tuple[Rate, ...], calls: list[tuple[float, float | None]]) -> tuple[list[float], object]:
    provider = Script(200)
    policy = RateLimit(provider, RateLimit.Config(limits=limits, max_wait=3.0, waiters=20), make_runtime())

    async def one(patience_s: float | None) -> None:
        with contextlib.suppress(RateLimited, TimeoutError):
            await asyncio.wait_for(policy(make_call()), patience_s)

    async with asyncio.TaskGroup() as group:
        for gap, patience_s in calls:
            await asyncio.sleep(gap)
            group.create_task(one(patience_s))
    return [at for at, _ in provider.sends], policy.snapshot(asyncio.get_running_loop().time())["waiting"]


@settings(max_examples=60)
@given(
    limits=st.lists(rates, min_size=1, max_size=2).map(tuple),
    calls=st.lists(st.tuples(st.sampled_from([0.0, 0.0, 0.001, 0.02, 0.3, 2.0]), patience), max_size=80),
)
def test_callers_that_wait_and_callers_that_give_up_are_never_above_any_limit(
    limits: tuple[Rate, ...], calls: list[tuple[float, float | None]]
) -> None:
    sent, waiting = run(_play(limits, calls))

    assert waiting == 0
    for rate in limits:
        assert busiest_window(sent, rate.window_s) <= rate.count
