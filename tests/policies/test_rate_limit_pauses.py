"""The rate limiter when the provider itself asks for a pause."""

import asyncio

import pytest

from proxy.core.call import Call, Reply
from proxy.core.errors import ProviderPaused, RateLimited
from proxy.core.events import Event, PauseStarted, WouldRefuse
from proxy.core.outcome import Outcome
from proxy.policies.rate_limit import RateLimit
from tests.support.calls import start
from tests.support.script import Script, after, make_call, make_reply, make_runtime
from tests.support.virtual import START, run

ONE_A_SECOND = "9/8100ms"
"""One at a time, one each second: nine tenths of the limit, and no burst."""


def limiter(provider: Script, events: list[Event] | None = None, **config: object) -> RateLimit:
    """Make a limiter before a provider; no limit of our own unless told otherwise."""
    settings = {**config}
    return RateLimit(provider, RateLimit.Config.model_validate(settings), make_runtime(events))


def limited(retry_after: str) -> Reply:
    """Make a provider's 429 that names a time."""
    return make_reply(429, {"Retry-After": retry_after})


def waiting(policy: RateLimit) -> object:
    """Count the calls in the queue."""
    return policy.snapshot(asyncio.get_running_loop().time())["waiting"]


def test_a_provider_that_names_a_time_is_left_alone_until_then() -> None:
    async def scene() -> None:
        events: list[Event] = []
        provider = Script(limited("30"), 200)
        policy = limiter(provider, events)
        assert (await policy(make_call())).status == 429

        with pytest.raises(ProviderPaused) as refusal:
            await policy(make_call())
        assert refusal.value.retry_after_s == pytest.approx(30.0, abs=1e-5)
        assert events == [PauseStarted("acme", 30.0, True)]
        await asyncio.sleep(30.0)
        assert (await policy(make_call())).status == 200
        assert len(provider.sends) == 2

    run(scene())


def test_a_provider_that_names_no_time_is_left_alone_longer_and_longer_until_a_call_succeeds() -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(429, 429, 429, 200, 429), events)
        for _ in range(5):
            await policy(make_call())
            await asyncio.sleep(60.0)

        assert events == [PauseStarted("acme", seconds, False) for seconds in (5.0, 10.0, 20.0, 5.0)]

    run(scene())


def test_an_answer_that_is_no_success_does_not_end_the_doubling() -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(429, 500, 429), events)
        for _ in range(3):
            await policy(make_call())
            await asyncio.sleep(60.0)

        assert events == [PauseStarted("acme", seconds, False) for seconds in (5.0, 10.0)]

    run(scene())


def test_a_pause_that_nobody_may_wait_for_refuses_even_when_it_is_short() -> None:
    async def scene() -> None:
        policy = limiter(Script(limited("1")), waiters=0)
        await policy(make_call())

        with pytest.raises(ProviderPaused):
            await policy(make_call())

    run(scene())


def test_pauses_without_a_time_can_be_switched_off() -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(429, 200), events, unhinted_pause="0s")
        await policy(make_call())

        assert (await policy(make_call())).status == 200
        assert events == []

    run(scene())


def test_a_hostile_time_is_cut_to_the_longest_pause() -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(limited("86400")), events, pause_max="5m")
        await policy(make_call())

        assert events == [PauseStarted("acme", 300.0, True)]

    run(scene())


def test_an_outage_that_names_its_end_pauses_the_provider_until_then() -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(make_reply(503, {"Retry-After": "30"}), 200), events)
        assert (await policy(make_call())).status == 503

        with pytest.raises(ProviderPaused):
            await policy(make_call())
        assert events == [PauseStarted("acme", 30.0, True)]
        await asyncio.sleep(30.0)
        assert (await policy(make_call())).status == 200

    run(scene())


@pytest.mark.parametrize("outage", [make_reply(503), make_reply(500, {"Retry-After": "30"})])
def test_an_outage_that_names_no_end_is_no_pause(outage: Reply) -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(outage, 200), events)
        await policy(make_call())

        assert (await policy(make_call())).status == 200
        assert events == []
        assert outage.pause_s == 0.0

    run(scene())


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.REFUSED])
def test_no_other_answer_pauses_the_provider(outcome: Outcome) -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(make_reply(403, {"Retry-After": "60"}, outcome=outcome)), events)
        await policy(make_call())
        await policy(make_call())

        assert events == []

    run(scene())


def test_a_short_pause_is_waited_for_and_calls_come_back_one_by_one() -> None:
    async def scene() -> None:
        provider = Script(limited("1"), 200)
        policy = limiter(provider)
        await policy(make_call())
        calls = [make_call() for _ in range(4)]
        await asyncio.gather(*map(policy, calls))

        assert provider.gaps == pytest.approx([1.0, 0.05, 0.05, 0.05], abs=1e-5)
        assert calls[0].record.limiter_s == pytest.approx(1.0, abs=1e-5)

    run(scene())


def test_a_limit_slower_than_the_return_from_a_pause_keeps_its_own_pace() -> None:
    async def scene() -> None:
        provider = Script(limited("1"), 200)
        policy = limiter(provider, limits=[ONE_A_SECOND], max_wait="5s")
        await policy(make_call())
        await asyncio.gather(*(policy(make_call()) for _ in range(3)))

        assert provider.gaps == pytest.approx([1.0, 1.0, 1.0], abs=1e-5)

    run(scene())


def test_a_pause_that_begins_refuses_those_in_the_queue_who_could_not_outlast_it() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        provider = Script(after(0.5, limited("3")), 200)
        policy = limiter(provider, limits=[ONE_A_SECOND], max_wait="3s")
        first, second, third = start(policy), start(policy), start(policy)
        assert (await first).status == 429

        # Their turns were at 1 s and 2 s; the pause ends at 3.5 s, after the 3 s that they may wait.
        for waiter in (second, third):
            with pytest.raises(ProviderPaused) as refusal:
                await waiter
            assert refusal.value.retry_after_s == pytest.approx(3.0, abs=1e-5)
        assert loop.time() - START == pytest.approx(0.5, abs=1e-5)
        assert waiting(policy) == 0
        await asyncio.sleep(3.0)
        assert (await policy(make_call())).status == 200

    run(scene())


def test_a_pause_that_grows_a_little_refuses_those_who_can_no_longer_outlast_it() -> None:
    async def scene() -> None:
        provider = Script(after(0.5, limited("1")), after(0.9, limited("1")))
        policy = limiter(provider, max_wait="602ms")
        calls = [start(policy), start(policy)]
        await calls[0]  # the pause ends at 1.5 s
        await asyncio.sleep(0.4 - 1e-3)
        waiter = start(policy)  # may wait until 1.5 s and a little; the second refusal moves the end to 1.9 s

        with pytest.raises(ProviderPaused):
            await waiter
        assert asyncio.get_running_loop().time() - START == pytest.approx(0.9, abs=1e-3)
        await calls[1]

    run(scene())


def test_a_pause_passes_over_a_call_that_was_just_cancelled_in_the_queue() -> None:
    async def scene() -> None:
        queue: list[asyncio.Task[Reply]] = []

        def refuse(_: Call) -> Reply:
            queue[0].cancel()
            return limited("30")

        provider = Script(after(0.5, refuse), 200)
        policy = limiter(provider, limits=[ONE_A_SECOND])
        first = start(policy)
        await asyncio.sleep(0)
        queue += [start(policy), start(policy)]
        assert (await first).status == 429

        with pytest.raises(ProviderPaused):
            await queue[1]
        assert queue[0].cancelled()
        assert waiting(policy) == 0

    run(scene())


def test_those_who_can_outlast_a_pause_stay_in_the_queue() -> None:
    async def scene() -> None:
        provider = Script(after(0.5, limited("1")), 200)
        policy = limiter(provider, limits=[ONE_A_SECOND], max_wait="2s")
        first, second, third = start(policy), start(policy), start(policy)
        await first

        with pytest.raises(RateLimited) as refusal:
            await third  # the pause ends at 1.5 s, and the limit lets it go one second later
        assert refusal.value.retry_after_s == pytest.approx(2.0, abs=1e-5)
        assert (await second).status == 200
        assert provider.gaps == pytest.approx([1.5], abs=1e-5)

    run(scene())


def test_many_refusals_in_flight_make_one_pause() -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(after(0.1, 429)), events)
        await asyncio.gather(*(policy(make_call()) for _ in range(64)))

        assert events == [PauseStarted("acme", 5.0, False)]

    run(scene())


def test_report_mode_lets_calls_into_a_pause() -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(limited("30"), 200), events, mode="report")
        await policy(make_call())

        assert (await policy(make_call())).status == 200
        assert events == [
            PauseStarted("acme", 30.0, True),
            WouldRefuse("acme", "rate_limit", "provider_paused"),
        ]

    run(scene())
