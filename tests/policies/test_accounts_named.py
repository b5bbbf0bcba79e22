"""What happens to one account of a provider is told with its name."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from proxy.core.call import Call, Policy, Reply
from proxy.core.events import BreakerChanged, Event, PauseStarted, RetryDenied, RetryScheduled, WouldRefuse
from proxy.core.outcome import Outcome
from proxy.credentials.bearer import Bearer
from proxy.policies.breaker import Breaker
from proxy.policies.bulkhead import Bulkhead
from proxy.policies.credential import Credential
from proxy.policies.rate_limit import RateLimit
from proxy.policies.retry import Retry
from proxy.sansio.rotation import REFUSALS
from tests.support.script import Script, Step, after, make_call, make_reply, make_runtime
from tests.support.virtual import run


def waits_long(_: Call) -> Reply:
    return make_reply(429, {"Retry-After": "900"})


def used_up(_: Call) -> Reply:
    reply = make_reply(402)
    reply.outcome = Outcome.EXHAUSTED
    return reply


@pytest.mark.parametrize(
    ("policy", "kind", "step"),
    [
        (Retry, RetryScheduled, 503),
        (Retry, RetryDenied, waits_long),
        (Breaker, BreakerChanged, 503),
        (RateLimit, PauseStarted, 429),
        (RateLimit, PauseStarted, used_up),
    ],
)
def test_a_state_change_of_an_account_names_it(policy: type[Policy], kind: type[Event], step: Step) -> None:
    events: list[Event] = []
    runtime = replace(make_runtime(events), account="eu")
    settings = {"failures": 1} if policy is Breaker else {}
    made = cast(Any, policy)(Script(step, 200), policy.Config.model_validate(settings), runtime)
    run(made(make_call()))
    assert [getattr(event, "account", "") for event in events if isinstance(event, kind)] == ["eu"]


@pytest.mark.parametrize(
    ("policy", "settings"),
    [
        (Breaker, {"failures": 1}),
        (RateLimit, {"limits": ["1/1h"], "max_wait": "0s"}),
        (Bulkhead, {"in_flight": 1, "queue": 0}),
        (Credential, {"scheme": "bearer", "token": "env:KEY"}),
    ],
)
def test_what_report_mode_lets_through_for_an_account_names_it(policy: Any, settings: dict[str, Any]) -> None:
    events: list[Event] = []
    config = Bearer.Config if policy is Credential else policy.Config
    runtime = replace(make_runtime(events, secrets={"env:KEY": "sk_test_example"}), account="eu")
    provider = Script(after(0.1, 401 if policy is Credential else 503))
    made = policy(provider, config.model_validate({**settings, "mode": "report"}), runtime)

    async def calls() -> None:
        for _ in range(REFUSALS + 1):
            await asyncio.gather(made(make_call()), made(make_call()))

    run(calls())
    told = [event.account for event in events if isinstance(event, WouldRefuse)]
    assert set(told) == {"eu"}
