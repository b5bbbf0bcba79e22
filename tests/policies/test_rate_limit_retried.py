"""The rate limiter beneath a retry: who was refused by the provider comes back when its pause is over."""

import asyncio

import pytest

from proxy.core.call import Reply
from proxy.core.events import Event, PauseStarted, RetryDenied, RetryScheduled
from proxy.core.outcome import Outcome
from proxy.core.runtime import Runtime
from proxy.policies.rate_limit import RateLimit
from proxy.policies.retry import Retry
from tests.support.script import Script, after, make_call, make_reply, make_runtime
from tests.support.virtual import START, run


def limiter(provider: Script, runtime: Runtime, **limit: object) -> RateLimit:
    """Make a limiter before a provider."""
    return RateLimit(provider, RateLimit.Config.model_validate(limit), runtime)


def stack(provider: Script, events: list[Event] | None = None, random: float = 0.5, **limit: object) -> Retry:
    """Make a retry around a limiter, as the stack does."""
    runtime = make_runtime(events, random=lambda: random)
    return Retry(limiter(provider, runtime, **limit), Retry.Config(), runtime)


@pytest.mark.parametrize(
    ("step", "mode", "pause_s"),
    [
        (429, "enforce", 5.0),
        (make_reply(429, {"Retry-After": "30"}), "enforce", 30.0),
        (make_reply(429, {"Retry-After": "0"}), "enforce", 0.0),
        (429, "report", 0.0),
    ],
)
def test_a_reply_tells_for_how_long_calls_are_held_back_now(step: int | Reply, mode: str, pause_s: float) -> None:
    async def scene() -> None:
        reply = await limiter(Script(step), make_runtime(), mode=mode)(make_call())

        assert reply.pause_s == pytest.approx(pause_s, abs=1e-5)

    run(scene())


def test_a_failure_that_comes_while_the_provider_is_paused_tells_what_is_left_of_the_pause() -> None:
    async def scene() -> None:
        policy = limiter(Script(after(1.0, 429), after(3.0, 500)), make_runtime())
        replies = await asyncio.gather(policy(make_call()), policy(make_call()))

        assert [reply.pause_s for reply in replies] == pytest.approx([5.0, 3.0], abs=1e-5)

    run(scene())


def test_a_call_that_was_throttled_without_a_hint_is_sent_again_when_the_pause_is_over() -> None:
    async def scene() -> None:
        events: list[Event] = []
        provider = Script(429, 200)
        call = make_call()
        call.deadline_at = START + 30.0

        assert (await stack(provider, events)(call)).status == 200
        assert provider.gaps == [5.25]
        assert events == [PauseStarted("acme", 5.0, False), RetryScheduled("acme", "throttled", 2, 5.25)]

    run(scene())


def test_a_pause_beyond_the_deadline_gives_the_providers_reply_at_once() -> None:
    async def scene() -> None:
        events: list[Event] = []
        refusal = make_reply(429)
        provider = Script(refusal)
        policy, call = stack(provider, events), make_call()
        call.deadline_at = START + 4.0

        assert await policy(call) is refusal
        assert asyncio.get_running_loop().time() - START < 0.001
        assert events == [PauseStarted("acme", 5.0, False), RetryDenied("acme", "wait_too_long")]
        assert policy.snapshot(START) == {"budget_tokens": 500.0}

    run(scene())


@pytest.mark.parametrize("max_wait", ["0s", "2s"])
def test_all_who_waited_out_the_same_pause_are_sent_again_one_by_one(max_wait: str) -> None:
    async def scene() -> None:
        provider = Script(*[after(0.1, 429)] * 4, 200)
        policy = stack(provider, random=0.0, max_wait=max_wait)
        replies = await asyncio.gather(*(policy(make_call()) for _ in range(4)))

        assert [reply.status for reply in replies] == [200] * 4
        assert provider.gaps[3:] == pytest.approx([5.1, 0.05, 0.05, 0.05], abs=1e-5)

    run(scene())


def test_who_comes_for_the_first_time_is_not_let_in_beyond_its_longest_wait() -> None:
    async def scene() -> None:
        provider = Script(make_reply(503, {"Retry-After": "1"}), 200)
        policy = stack(provider, max_wait="0s")
        first = asyncio.create_task(policy(make_call()))
        await asyncio.sleep(0.5)
        reply = await asyncio.gather(policy(make_call()), return_exceptions=True)

        assert [type(one).__name__ for one in reply] == ["ProviderPaused"]
        assert (await first).outcome is Outcome.OK

    run(scene())
