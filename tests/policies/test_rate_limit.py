"""The rate limiter: turns in order, and waits known beforehand."""

import asyncio

import pytest
from pydantic import ValidationError

from proxy.core.call import Reply
from proxy.core.errors import RateLimited
from proxy.core.events import Event, WouldRefuse
from proxy.core.units import Rate
from proxy.policies.rate_limit import RateLimit
from tests.support.calls import cancel, recorded_timers, start
from tests.support.script import Script, make_call, make_reply, make_runtime
from tests.support.virtual import START, run

ONE_A_SECOND = "9/8100ms"
"""One at a time, one each second: nine tenths of the limit, and no burst."""


def limiter(provider: Script, events: list[Event] | None = None, **config: object) -> RateLimit:
    """Make a limiter before a provider; one call a second unless told otherwise."""
    settings = {"limits": (ONE_A_SECOND,), **config}
    return RateLimit(provider, RateLimit.Config.model_validate(settings), make_runtime(events))


def limited(retry_after: str) -> Reply:
    """Make a provider's 429 that names a time."""
    return make_reply(429, {"Retry-After": retry_after})


def waiting(policy: RateLimit) -> object:
    """Count the calls in the queue."""
    return policy.snapshot(asyncio.get_running_loop().time())["waiting"]


def test_without_limits_calls_pass_as_they_come() -> None:
    async def scene() -> None:
        provider = Script(200)
        policy = limiter(provider, limits=())
        replies = await asyncio.gather(*(policy(make_call()) for _ in range(50)))

        assert {reply.status for reply in replies} == {200}
        assert provider.gaps == [0.0] * 49

    run(scene())


def test_calls_wait_for_their_turn_and_go_in_order() -> None:
    async def scene() -> None:
        provider = Script(200)
        policy = limiter(provider, max_wait="10s")
        calls = [make_call(target=b"/%d" % n) for n in range(4)]
        await asyncio.gather(*map(policy, calls))

        assert [call.target for _, call in provider.sends] == [b"/0", b"/1", b"/2", b"/3"]
        assert provider.gaps == pytest.approx([1.0, 1.0, 1.0], abs=1e-5)
        assert [call.record.limiter_s for call in calls] == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=1e-5)
        assert waiting(policy) == 0

    run(scene())


def test_tokens_that_come_free_within_one_tick_are_given_at_once() -> None:
    async def scene() -> None:
        provider = Script(200)
        policy = limiter(provider, limits=["100/10ms"])
        await asyncio.gather(*(policy(make_call()) for _ in range(40)))

        # Passes of the loop differ by a nanosecond: what shares an instant went in one pass.
        assert len({at for at, _ in provider.sends}) == 5
        ticks = [round((at - START) * 1000) for at, _ in provider.sends]
        assert [ticks.count(tick) for tick in range(5)] == [10, 9, 9, 9, 3]

    run(scene())


def test_a_call_that_could_not_go_in_time_is_refused_at_once() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        policy = limiter(Script(200), max_wait="2s")
        passing = [start(policy) for _ in range(3)]
        await asyncio.sleep(0.0005)

        with pytest.raises(RateLimited) as refusal:
            await policy(make_call())
        assert loop.time() - START == pytest.approx(0.0005, abs=1e-6)
        assert refusal.value.retry_after_s == pytest.approx(2.9995, abs=1e-5)
        assert (refusal.value.limits, refusal.value.tightest) == ((Rate(9, 8.1),), Rate(9, 8.1))
        assert refusal.value.remaining == 0
        assert [reply.status for reply in await asyncio.gather(*passing)] == [200, 200, 200]

    run(scene())


def test_a_refused_call_costs_no_token() -> None:
    async def scene() -> None:
        provider = Script(200)
        policy = limiter(provider, max_wait="0s")
        await policy(make_call())
        for _ in range(5):
            with pytest.raises(RateLimited):
                await policy(make_call())
        await asyncio.sleep(1.0)

        assert (await policy(make_call())).status == 200

    run(scene())


def test_a_call_that_could_not_go_before_its_deadline_is_refused_at_once() -> None:
    async def scene() -> None:
        policy = limiter(Script(200))
        await policy(make_call())
        with pytest.raises(RateLimited):
            await start(policy, deadline_at=START + 0.9)

        assert asyncio.get_running_loop().time() - START < 0.001
        assert (await start(policy, deadline_at=START + 1.1)).status == 200

    run(scene())


def test_the_queue_is_bounded() -> None:
    async def scene() -> None:
        policy = limiter(Script(200), waiters=2, max_wait="60s")
        passing = [start(policy) for _ in range(3)]
        await asyncio.sleep(0)

        assert waiting(policy) == 2
        with pytest.raises(RateLimited) as refusal:
            await policy(make_call())
        assert refusal.value.retry_after_s == pytest.approx(3.0, abs=1e-5)
        await asyncio.gather(*passing)

    run(scene())


@pytest.mark.parametrize("who", [0, 1, 2], ids=["the first", "one in the middle", "the last"])
def test_those_behind_a_cancelled_call_move_up(who: int) -> None:
    async def scene() -> None:
        provider = Script(200)
        policy = limiter(provider, max_wait="10s")
        await policy(make_call())
        queue = [start(policy, target=b"/%d" % n) for n in range(3)]
        await asyncio.sleep(0.5)
        await cancel(queue.pop(who))

        assert waiting(policy) == 2
        await asyncio.gather(*queue)
        assert provider.gaps == pytest.approx([1.0, 1.0], abs=1e-5)
        assert waiting(policy) == 0

    run(scene())


def test_a_call_cancelled_when_its_turn_has_come_leaves_the_token_to_the_next() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        provider = Script(200)
        policy = limiter(provider)
        await policy(make_call())
        turn_at = loop.time() + 1.0
        unlucky, next_in_line = start(policy), start(policy)
        await asyncio.sleep(0)
        loop.call_at(turn_at + 5e-10, unlucky.cancel)  # in the pass of its turn, before it runs
        await next_in_line

        assert unlucky.cancelled()
        assert provider.gaps == pytest.approx([1.0], abs=1e-5)

    run(scene())


def test_a_newcomer_does_not_overtake_a_call_whose_turn_has_come() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        provider = Script(200)
        policy = limiter(provider)
        await policy(make_call())
        turn_at = loop.time() + 1.0
        first = start(policy, target=b"/first")
        await asyncio.sleep(0)
        later: list[asyncio.Task[Reply]] = []
        # In the pass of the first one's turn, and to run before it.
        loop.call_at(turn_at - 5e-10, lambda: later.append(start(policy, target=b"/later")))
        await first
        await asyncio.gather(*later)

        assert [call.target for _, call in provider.sends[1:]] == [b"/first", b"/later"]
        assert provider.gaps == pytest.approx([1.0, 1.0], abs=1e-5)

    run(scene())


def test_several_limits_hold_together() -> None:
    async def scene() -> None:
        provider = Script(200)
        policy = limiter(provider, limits=["20/18s", "9/32400ms"], max_wait="60s")
        await asyncio.gather(*(policy(make_call()) for _ in range(4)))

        assert provider.gaps == pytest.approx([4.0, 4.0, 4.0], abs=1e-5)

    run(scene())


@pytest.mark.parametrize("order", [1, -1])
def test_a_refusal_names_the_limit_that_has_to_be_waited_for(order: int) -> None:
    async def scene() -> None:
        policy = limiter(Script(200), limits=["1000/1s", "5/1h", "9/8100ms"][::order], max_wait="0s")
        await policy(make_call())

        with pytest.raises(RateLimited) as refusal:
            await policy(make_call())
        assert refusal.value.tightest == Rate(5, 3600.0)
        assert refusal.value.remaining == 0
        assert len(refusal.value.limits) == 3

    run(scene())


def test_no_timer_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        policy = limiter(Script(200), max_wait="10s")
        timers = recorded_timers(monkeypatch)
        await policy(make_call())
        queue = [start(policy), start(policy)]
        await asyncio.sleep(0)
        for task in queue:
            await cancel(task)

        assert timers
        assert all(timer.cancelled() for timer in timers)

    run(scene())


def test_report_mode_tells_what_it_would_refuse_and_holds_nothing_back() -> None:
    async def scene() -> None:
        events: list[Event] = []
        provider = Script(200)
        policy = limiter(provider, events, max_wait="2s", mode="report")
        calls = [make_call() for _ in range(5)]
        for call in calls:
            await policy(call)

        assert provider.gaps == [0.0] * 4
        assert [call.record.limiter_s for call in calls] == [0.0] * 5
        # One would go at once and two would wait for one and two seconds.
        assert events == [WouldRefuse("acme", "rate_limit", "rate_limited")] * 2

    run(scene())


def test_the_snapshot_tells_tokens_queue_and_pause() -> None:
    async def scene() -> None:
        policy = limiter(Script(limited("30")), limits=["100/1s", "1000/1h"])
        await policy(make_call())
        snapshot = policy.snapshot(asyncio.get_running_loop().time())

        assert snapshot == {
            "limits": [
                {"limit": "100/1s", "tokens": pytest.approx(9.0, abs=1e-3), "burst": pytest.approx(10.0)},
                {"limit": "1000/1h", "tokens": pytest.approx(99.0, abs=1e-3), "burst": pytest.approx(100.0)},
            ],
            "waiting": 0,
            "paused_s": pytest.approx(30.0, abs=1e-3),
            "held": False,
            "mode": "enforce",
        }

    run(scene())


def test_the_defaults_limit_nothing_but_heed_the_provider() -> None:
    config = RateLimit.Config()

    assert config.limits == ()
    assert (config.max_wait, config.waiters, config.unhinted_pause, config.pause_max) == (2.0, 1000, 5.0, 900.0)


def test_a_limit_that_is_no_rate_is_a_mistake() -> None:
    with pytest.raises(ValidationError):
        RateLimit.Config.model_validate({"limits": ["100 per second"]})
