"""The rate limiter across a reload: the new layer stands in the old one's line."""

import asyncio

import pytest

from proxy.core.errors import ProviderPaused, RateLimited
from proxy.core.events import Event, PauseStarted
from proxy.policies.rate_limit import RateLimit
from tests.support.calls import start
from tests.support.script import Script, after, make_call, make_reply, make_runtime
from tests.support.virtual import START, run

ONE_A_SECOND = "9/8100ms"
ONE_IN_TEN = "9/81s"
"""One at a time, one each second or ten seconds: nine tenths of the limit, and no burst."""


def limiter(provider: Script, events: list[Event] | None = None, **config: object) -> RateLimit:
    """Make a limiter before a provider; one call a second unless told otherwise."""
    settings = {"limits": (ONE_A_SECOND,), **config}
    return RateLimit(provider, RateLimit.Config.model_validate(settings), make_runtime(events))


def reloaded(old: RateLimit, provider: Script, events: list[Event] | None = None, **config: object) -> RateLimit:
    """Make the limiter that stands in the old one's place after a reload."""
    new = limiter(provider, events, **config)
    new.adopt(old)
    return new


@pytest.mark.parametrize("limits", [(), (ONE_A_SECOND,), (ONE_IN_TEN,)])
def test_a_pause_lasts_across_a_reload(limits: tuple[str, ...]) -> None:
    async def scene() -> None:
        provider = Script(make_reply(429, {"Retry-After": "30"}), 200)
        old = limiter(provider)
        await old(make_call())
        new = reloaded(old, provider, limits=limits)

        with pytest.raises(ProviderPaused):
            await new(make_call())
        await asyncio.sleep(30.0)
        assert (await new(make_call())).status == 200

    run(scene())


def test_the_settings_of_pauses_are_the_new_ones() -> None:
    async def scene() -> None:
        events: list[Event] = []
        provider = Script(429)
        new = reloaded(limiter(provider), provider, events, unhinted_pause="1s")
        await new(make_call())

        assert events == [PauseStarted("acme", 1.0, False)]

    run(scene())


def test_a_refusal_of_a_call_from_before_the_reload_pauses_those_after_it() -> None:
    async def scene() -> None:
        old = limiter(Script(after(1.0, make_reply(429, {"Retry-After": "30"}))))
        under_way = start(old)
        await asyncio.sleep(0.5)
        new = reloaded(old, Script(200))
        await under_way

        with pytest.raises(ProviderPaused):
            await new(make_call())

    run(scene())


def test_a_limit_that_is_configured_still_has_no_more_tokens_than_before() -> None:
    async def scene() -> None:
        provider = Script(200)
        old = limiter(provider, limits=(ONE_A_SECOND, ONE_IN_TEN))
        await old(make_call())
        new = reloaded(old, provider, limits=(ONE_IN_TEN,), max_wait="5s")

        with pytest.raises(RateLimited) as refusal:
            await new(make_call())
        assert refusal.value.retry_after_s == pytest.approx(10.0, abs=1e-5)

    run(scene())


def test_a_limit_that_was_changed_begins_anew() -> None:
    async def scene() -> None:
        provider = Script(200)
        old = limiter(provider, limits=(ONE_IN_TEN,))
        await old(make_call())
        new = reloaded(old, provider)
        await new(make_call())
        await new(make_call())

        assert provider.gaps == pytest.approx([0.0, 1.0], abs=1e-5)

    run(scene())


def test_the_same_limit_written_twice_is_no_half_limit_after_a_reload() -> None:
    async def scene() -> None:
        provider = Script(200)
        twice = (ONE_A_SECOND, ONE_A_SECOND)
        new = reloaded(limiter(provider, limits=twice), provider, limits=twice)
        await new(make_call())
        await new(make_call())

        assert provider.gaps == pytest.approx([1.0], abs=1e-5)

    run(scene())


def test_the_queue_from_before_goes_first_and_at_the_same_pace() -> None:
    async def scene() -> None:
        provider = Script(200)
        old = limiter(provider, max_wait="10s")
        before = [start(old, target=b"/%d" % n) for n in range(3)]
        await asyncio.sleep(0.5)
        new = reloaded(old, provider, max_wait="10s")
        behind = [start(new, target=b"/%d" % n) for n in range(3, 5)]
        await asyncio.gather(*before, *behind)

        assert [call.target for _, call in provider.sends] == [b"/%d" % n for n in range(5)]
        assert provider.gaps == pytest.approx([1.0] * 4, abs=1e-5)

    run(scene())


def test_the_queue_hears_at_once_when_a_tighter_limit_makes_its_wait_too_long() -> None:
    async def scene() -> None:
        provider = Script(200)
        old = limiter(provider, max_wait="5s")
        waiting = [start(old) for _ in range(3)]
        await asyncio.sleep(0.5)
        new = reloaded(old, provider, limits=(ONE_IN_TEN,))
        results = await asyncio.gather(*waiting, return_exceptions=True)

        # The new limit has its first token at once, and its next only when the third could no longer wait.
        assert [type(result).__name__ for result in results] == ["Reply", "Reply", "RateLimited"]
        assert asyncio.get_running_loop().time() - START == pytest.approx(0.5, abs=1e-2)
        assert new.snapshot(START)["waiting"] == 0

    run(scene())


def test_the_queue_goes_on_earlier_when_a_limit_is_lifted() -> None:
    async def scene() -> None:
        provider = Script(200)
        old = limiter(provider, max_wait="5s")
        waiting = [start(old) for _ in range(4)]
        await asyncio.sleep(0.5)
        reloaded(old, provider, limits=())
        await asyncio.gather(*waiting)

        assert provider.gaps == pytest.approx([0.5, 0.0, 0.0], abs=1e-5)

    run(scene())
