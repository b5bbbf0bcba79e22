"""The rate limiter when a provider says that a quota is used up."""

import asyncio
from typing import Literal

import pytest

from proxy.core.call import Reply
from proxy.core.errors import QuotaExhausted
from proxy.core.events import Event, PauseStarted, WouldRefuse
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.core.secret import Secret, SecretRef
from proxy.policies.rate_limit import RateLimit
from tests.support.calls import start
from tests.support.script import WALL, Script, after, make_call, make_reply, make_runtime
from tests.support.virtual import START, run

TO_MIDNIGHT_S = 16 * 3600.0 - START  # from 08:00 UTC, when the virtual clock shows zero


def exhausted(**headers: str) -> Reply:
    """Make an answer that says that the quota is used up."""
    return make_reply(
        402, {name.replace("_", "-"): value for name, value in headers.items()}, outcome=Outcome.EXHAUSTED
    )


def limiter(
    provider: Script,
    events: list[Event] | None = None,
    renewal: Literal["utc_day", "utc_month"] | None = None,
    **config: object,
) -> RateLimit:
    """Make a limiter before a provider whose quota may come back at a known time."""
    return RateLimit(provider, RateLimit.Config.model_validate(config), make_runtime(events, Profile(renewal=renewal)))


@pytest.mark.parametrize(
    ("answer", "renewal", "hold_max", "seconds", "hinted"),
    [
        (exhausted(), None, "1h", 60.0, False),
        (exhausted(retry_after="90"), "utc_day", "1h", 90.0, True),
        (exhausted(retry_after="0"), "utc_day", "24h", TO_MIDNIGHT_S, False),
        (exhausted(), "utc_day", "24h", TO_MIDNIGHT_S, False),
        (exhausted(), "utc_month", "30d", TO_MIDNIGHT_S + 16 * 86400, False),
        (exhausted(), "utc_day", "1h", 3600.0, False),
    ],
)
def test_calls_are_held_until_the_quota_is_renewed_or_for_the_longest_hold(
    answer: Reply, renewal: Literal["utc_day", "utc_month"] | None, hold_max: str, seconds: float, hinted: bool
) -> None:
    async def scene() -> None:
        events: list[Event] = []
        provider = Script(answer, 200)
        policy = limiter(provider, events, renewal, hold_max=hold_max)
        assert (await policy(make_call())).status == 402

        (event,) = events
        assert isinstance(event, PauseStarted)
        assert (event.why, event.hinted) == ("exhausted", hinted)
        assert event.seconds == pytest.approx(seconds, abs=0.01)
        with pytest.raises(QuotaExhausted) as refusal:
            await policy(make_call())
        assert refusal.value.retry_after_s == pytest.approx(seconds, abs=0.01)
        await asyncio.sleep(seconds)
        assert (await policy(make_call())).status == 200

    run(scene())


def test_one_call_finds_out_and_the_others_go_when_it_has() -> None:
    async def scene() -> None:
        provider = Script(exhausted(), after(0.5, 200), 200)
        policy = limiter(provider, max_wait="30s")
        await policy(make_call())
        await asyncio.sleep(59.0)
        calls = [start(policy) for _ in range(3)]
        await asyncio.sleep(1.25)
        assert len(provider.sends) == 2
        assert [reply.status for reply in await asyncio.gather(*calls)] == [200, 200, 200]
        assert provider.gaps[1] == pytest.approx(0.5, abs=0.01)

    run(scene())


def test_the_call_that_finds_out_that_nothing_has_changed_begins_the_next_hold() -> None:
    async def scene() -> None:
        events: list[Event] = []
        provider = Script(exhausted(), exhausted(), 200)
        policy = limiter(provider, events)
        await policy(make_call())
        await asyncio.sleep(60.0)
        await policy(make_call())
        with pytest.raises(QuotaExhausted):
            await policy(make_call())
        assert events == [PauseStarted("acme", 60.0, False, "exhausted")] * 2

    run(scene())


@pytest.mark.parametrize(("outcome", "goes"), [(Outcome.REFUSED, True), (Outcome.FAILED, False)])
def test_any_answer_but_a_failure_tells_that_the_quota_is_back(outcome: Outcome, goes: bool) -> None:
    async def scene() -> None:
        provider = Script(exhausted(), make_reply(404, outcome=outcome), 200)
        policy = limiter(provider)
        await policy(make_call())
        await asyncio.sleep(60.0)
        await policy(make_call())
        if goes:
            assert (await policy(make_call())).status == 200
        else:
            with pytest.raises(QuotaExhausted):
                await policy(make_call())

    run(scene())


def test_those_who_wait_hear_at_once_that_the_quota_is_used_up() -> None:
    async def scene() -> None:
        provider = Script(after(0.5, exhausted()), 200)
        policy = limiter(provider, limits=["1/1s"])
        first, second = start(policy), start(policy)
        assert (await first).status == 402
        with pytest.raises(QuotaExhausted):
            await second
        assert len(provider.sends) == 1

    run(scene())


def test_in_report_mode_calls_go_on_and_the_hold_is_told() -> None:
    async def scene() -> None:
        events: list[Event] = []
        policy = limiter(Script(exhausted(), 200), events, mode="report")
        await policy(make_call())
        assert (await policy(make_call())).status == 200
        assert events[1:] == [WouldRefuse("acme", "rate_limit", "quota_exhausted")]

    run(scene())


def test_another_secret_ends_the_hold_and_the_same_one_does_not() -> None:
    async def scene() -> None:
        provider = Script(exhausted(), 200, exhausted(), 200)
        runtime = make_runtime(secrets={"env:KEY": "sk_test_example_old"})
        slot = runtime.secret(SecretRef("env", "KEY"))
        policy = RateLimit(provider, RateLimit.Config(), runtime)
        await policy(make_call())
        slot.put(Secret("sk_test_example_old"))
        with pytest.raises(QuotaExhausted):
            await policy(make_call())
        slot.put(Secret("sk_test_example_new"))
        assert (await policy(make_call())).status == 200
        await policy(make_call())
        with pytest.raises(QuotaExhausted):
            await policy(make_call())

    run(scene())


def test_a_hold_is_kept_across_a_reload_unless_that_brings_another_secret() -> None:
    async def scene() -> None:
        for ref, goes in (("env:KEY", False), ("env:OTHER", True)):
            old = RateLimit(
                Script(exhausted()), RateLimit.Config(), make_runtime(secrets={"env:KEY": "sk_test_example"})
            )
            await old(make_call())
            new = RateLimit(Script(200), RateLimit.Config(), make_runtime(secrets={ref: "sk_test_example"}))
            new.adopt(old)
            if goes:
                assert (await new(make_call())).status == 200
            else:
                with pytest.raises(QuotaExhausted):
                    await new(make_call())

    run(scene())


def test_the_state_tells_a_hold() -> None:
    async def scene() -> None:
        policy = limiter(Script(exhausted()))
        await policy(make_call())
        state = policy.snapshot(asyncio.get_running_loop().time())
        assert (state["held"], state["paused_s"]) == (True, pytest.approx(60.0, abs=0.01))
        assert WALL % 86400 == 8 * 3600  # what the times above are reckoned from

    run(scene())


def test_an_answer_that_never_came_from_the_provider_ends_no_hold() -> None:
    async def scene() -> None:
        policy = limiter(Script(exhausted(), make_reply(200, outcome=Outcome.IGNORED)), max_wait="0s")
        await policy(make_call())
        await asyncio.sleep(60.0)
        assert (await policy(make_call())).status == 200
        assert policy.snapshot(0.0)["held"] is True

    run(scene())
