"""What the policies do while an operator holds them in a state, and when that ends."""

import asyncio

import pytest

from proxy.core.call import Reply
from proxy.core.errors import CircuitOpen, CredentialRefused, ProviderPaused, TidegateError
from proxy.core.events import BreakerChanged, Event, WouldRefuse
from proxy.core.outcome import Outcome
from proxy.credentials import Bearer
from proxy.policies.breaker import Breaker
from proxy.policies.bulkhead import Bulkhead
from proxy.policies.credential import Credential
from proxy.policies.rate_limit import RateLimit
from proxy.stack import keep_overrides
from tests.support.calls import start
from tests.support.script import Script, Step, after, make_call, make_reply, make_runtime
from tests.support.virtual import run


def breaker(script: Script, events: list[Event] | None = None, **config: object) -> Breaker:
    settings = Breaker.Config.model_validate({"failures": 1, "successes": 1, **config})
    return Breaker(script, settings, make_runtime(events))


async def sent(policy: Breaker, times: int = 1) -> list[int]:
    async def one() -> Reply | TidegateError:
        try:
            return await policy(make_call())
        except TidegateError as error:
            return error

    return [(await one()).status for _ in range(times)]


def test_a_breaker_held_open_refuses_without_a_probe_and_says_who_did_it() -> None:
    events: list[Event] = []
    script = Script(200)
    policy = breaker(script, events)

    async def scene() -> CircuitOpen:
        policy.actions["open"]()
        await asyncio.sleep(3600)
        with pytest.raises(CircuitOpen) as caught:
            await policy(make_call())
        return caught.value

    refused = run(scene())
    assert (len(script.sends), refused.retry_after_s) == (0, None)
    assert "an operator holds the breaker open" in refused.detail
    assert events == [BreakerChanged("acme", "closed", "open", "operator", 0.0)]
    told = policy.snapshot(0.0)
    assert (told["state"], told["forced"], told["opens_for_s"]) == ("open", "open", 0.0)


def test_a_breaker_held_open_goes_on_with_a_probe() -> None:
    policy = breaker(Script(200))

    async def scene() -> list[int]:
        policy.actions["open"]()
        policy.actions["auto"]()
        return await sent(policy)

    assert run(scene()) == [200]
    assert policy.snapshot(0.0)["state"] == "closed"
    assert "forced" not in policy.snapshot(0.0)


def test_a_breaker_held_closed_admits_whatever_comes_and_judges_again_afterwards() -> None:
    policy = breaker(Script(503))

    async def scene() -> list[int]:
        policy.actions["close"]()
        held = await sent(policy, 20)
        policy.actions["auto"]()
        assert policy.snapshot(0.0)["consecutive_failures"] == 20
        return [*held, *await sent(policy, 2)]

    assert run(scene()) == [503] * 22
    assert policy.snapshot(0.0)["state"] == "open"


def test_an_open_breaker_can_be_closed() -> None:
    script = Script(503, 200)
    policy = breaker(script)

    async def scene() -> None:
        await sent(policy)
        policy.actions["close"]()
        await sent(policy)

    run(scene())
    assert len(script.sends) == 2


def test_auto_does_not_hasten_a_breaker_that_nobody_holds() -> None:
    script = Script(503)
    policy = breaker(script)

    async def scene() -> None:
        await sent(policy)
        policy.actions["auto"]()
        await sent(policy)

    run(scene())
    assert len(script.sends) == 1


def test_a_breaker_held_open_and_told_to_report_lets_calls_through() -> None:
    events: list[Event] = []
    policy = breaker(Script(200), events)

    async def scene() -> list[int]:
        policy.actions["open"]()
        policy.actions["report"]()
        return await sent(policy)

    assert run(scene()) == [200]
    assert events[-1] == WouldRefuse("acme", "breaker", "circuit_open")
    assert policy.overrides == ("open", "report")


def test_a_reload_keeps_what_an_operator_did_whatever_else_it_changes() -> None:
    old, new = breaker(Script(200)), breaker(Script(200), mode="enforce", failures=7)
    closed = breaker(Script(503), failures=3)

    async def scene() -> tuple[list[int], list[int]]:
        old.actions["open"]()
        old.actions["report"]()
        keep_overrides([new], [old])
        new.actions["enforce"]()
        old.actions["close"]()
        keep_overrides([closed], [old])
        return await sent(new), await sent(closed, 5)

    assert run(scene()) == ([503], [503] * 5)
    assert (new.overrides, closed.overrides) == (("open", "enforce"), ("close", "report"))
    assert new.snapshot(0.0)["mode"] == "enforce"


def test_nothing_is_carried_over_to_another_section() -> None:
    old, new = breaker(Script(200)), Bulkhead(Script(200), Bulkhead.Config(), make_runtime())

    async def scene() -> None:
        old.actions["report"]()

    run(scene())
    keep_overrides([new], [old])
    assert new.overrides == ()


def test_a_bulkhead_that_only_reports_lets_all_go_that_wait() -> None:
    async def scene() -> tuple[list[float], dict[str, object]]:
        script = Script(after(1, 200))
        policy = Bulkhead(script, Bulkhead.Config(in_flight=1, queue=4, max_wait="30s"), make_runtime())
        calls = [start(policy) for _ in range(4)]
        await asyncio.sleep(0.5)
        policy.actions["report"]()
        told = policy.snapshot(0.0)
        await asyncio.gather(*calls)
        return script.gaps, told

    gaps, told = run(scene())
    assert gaps == pytest.approx([0.5, 0.0, 0.0], abs=1e-5)
    assert told == {"in_flight": 4, "queued": 0, "mode": "report", "override": "report"}


def test_a_rate_limit_that_only_reports_lets_all_go_that_wait() -> None:
    async def scene() -> list[float]:
        script = Script(200)
        config = RateLimit.Config.model_validate({"limits": ["9/81s"], "max_wait": "60s"})
        policy = RateLimit(script, config, make_runtime())
        calls = [start(policy) for _ in range(4)]
        await asyncio.sleep(0.5)
        policy.actions["report"]()
        await asyncio.gather(*calls)
        assert policy.snapshot(0.0)["waiting"] == 0
        policy.actions["auto"]()
        assert policy.snapshot(0.0)["mode"] == "enforce"
        return script.gaps

    assert run(scene()) == pytest.approx([0.5, 0.0, 0.0], abs=1e-5)


@pytest.mark.parametrize("reply", [make_reply(429, {"Retry-After": "300"}), make_reply(403, outcome=Outcome.EXHAUSTED)])
def test_resume_ends_a_pause_and_a_hold(reply: Step) -> None:
    async def scene() -> int:
        script = Script(reply, 200)
        policy = RateLimit(script, RateLimit.Config(), make_runtime())
        policy.actions["resume"]()
        await policy(make_call())
        with pytest.raises(TidegateError):
            await policy(make_call())
        policy.actions["resume"]()
        return (await policy(make_call())).status

    assert run(scene()) == 200


def test_resume_lets_those_go_that_wait_for_a_pause() -> None:
    async def scene() -> list[float]:
        script = Script(make_reply(429, {"Retry-After": "20"}), 200)
        policy = RateLimit(script, RateLimit.Config.model_validate({"max_wait": "60s"}), make_runtime())
        await policy(make_call())
        call = start(policy)
        await asyncio.sleep(3)
        policy.actions["resume"]()
        await call
        return script.gaps

    assert run(scene()) == pytest.approx([3.0], abs=1e-3)


def test_a_late_refusal_of_before_does_not_bring_the_pause_back() -> None:
    async def scene() -> int:
        script = Script(after(2, 429), 429, 200)
        policy = RateLimit(script, RateLimit.Config(), make_runtime())
        late = start(policy)
        await asyncio.sleep(0)
        await policy(make_call())
        with pytest.raises(ProviderPaused):
            await policy(make_call())
        policy.actions["resume"]()
        await late
        return (await policy(make_call())).status

    assert run(scene()) == 200


def test_a_held_credential_is_tried_again_at_once() -> None:
    refused = make_reply(401, outcome=Outcome.UNAUTHORISED)
    script = Script(*[refused] * 5, 200)
    config = Bearer.Config.model_validate({"scheme": "bearer", "token": "env:KEY"})
    policy = Credential(script, config, make_runtime(secrets={"env:KEY": "sk_test_example"}))

    async def scene() -> int:
        for _ in range(5):
            await policy(make_call())
        with pytest.raises(CredentialRefused):
            await policy(make_call())
        policy.actions["resume"]()
        return (await policy(make_call())).status

    assert run(scene()) == 200


def test_a_credential_that_only_reports_sends_what_is_held() -> None:
    refused = make_reply(401, outcome=Outcome.UNAUTHORISED)
    config = Bearer.Config.model_validate({"scheme": "bearer", "token": "env:KEY"})
    policy = Credential(Script(refused), config, make_runtime(secrets={"env:KEY": "sk_test_example"}))

    async def scene() -> list[int]:
        policy.actions["report"]()
        return [(await policy(make_call())).status for _ in range(8)]

    assert run(scene()) == [401] * 8
    assert policy.snapshot(0.0)["mode"] == "report"
