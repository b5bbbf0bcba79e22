import asyncio
from typing import Any

import pytest

from proxy.core.call import Handler, Policy
from proxy.core.errors import CircuitOpen, RateLimited
from proxy.core.profile import Idempotency as PlaceOfKey
from proxy.core.profile import Profile
from proxy.settings import Settings
from proxy.stack import PER_CALL, PER_UPSTREAM, build, joint, keep_overrides, take_over
from tests.support.script import Script, make_call, make_runtime
from tests.support.virtual import run

EVERYTHING = {
    "base_url": "https://api.example.com",
    "credential": {"scheme": "bearer", "token": "env:KEY"},
    "rate_limit": {"limits": ["100/1s"]},
}
MINTING = Profile(idempotency=PlaceOfKey(mint=True))
ORDER = ["idempotency", "deadline", "bulkhead", "retry", "breaker", "rate_limit", "credential", "timeout"]


def stack(send: Handler, **sections: Any) -> tuple[Handler, list[Policy]]:
    """Build the stack of a provider that has every section, but for those named here."""
    settings = Settings.model_validate({"providers": {"acme": {**EVERYTHING, **sections}}})
    runtime = make_runtime(profile=MINTING, secrets={"env:KEY": "sk_test_example"})
    return build(settings.providers["acme"].section, runtime, send)


def only(send: Handler, **sections: Any) -> tuple[Handler, list[Policy]]:
    """Build a stack of nothing but these sections."""
    return stack(send, **{**dict.fromkeys(ORDER, False), **sections})


def test_the_order_is_this_one() -> None:
    assert [policy.section for policy in PER_CALL] == ["idempotency", "deadline", "bulkhead"]
    assert [policy.section for policy in PER_UPSTREAM] == ["retry", "breaker", "rate_limit", "credential", "timeout"]


def test_every_policy_stands_in_the_module_of_its_section() -> None:
    for policy in PER_CALL + PER_UPSTREAM:
        assert policy.__module__ == f"proxy.policies.{policy.section}"


def test_layers_wrap_one_another_from_the_outside_in_down_to_send() -> None:
    async def scenario() -> None:
        send = Script(200)
        top, layers = stack(send)
        assert [layer.section for layer in layers] == ORDER
        assert [top, *[layer.inner for layer in layers]] == [*layers, send]

    run(scenario())


def test_a_section_that_is_off_is_an_absent_layer() -> None:
    async def scenario() -> None:
        for section in ORDER:
            _, layers = stack(Script(200), **{section: False})
            assert [layer.section for layer in layers] == [name for name in ORDER if name != section]

    run(scenario())


def test_a_layer_that_has_nothing_to_do_is_absent() -> None:
    async def scenario() -> None:
        settings = Settings.model_validate({"providers": {"acme": EVERYTHING}})
        _, layers = build(settings.providers["acme"].section, make_runtime(), Script(200))
        assert [layer.section for layer in layers] == ORDER[1:]

    run(scenario())


def test_a_stack_without_sections_is_send_itself() -> None:
    async def scenario() -> None:
        send = Script(200)
        assert only(send) == (send, [])

    run(scenario())


def test_a_section_that_is_not_written_has_its_defaults_and_a_credential_has_none() -> None:
    settings = Settings.model_validate({"providers": {"plain": {"base_url": "https://api.example.com"}}})
    plain = settings.providers["plain"]
    assert [name for name in ORDER if plain.section(name) is False] == ["credential"]
    assert plain.section("retry").attempts == 3


def test_every_attempt_takes_a_token_so_that_retries_stay_under_the_limit() -> None:
    async def scenario() -> None:
        send = Script(503)
        limit = {"limits": ["10/1s"], "max_wait": "60s"}
        top, _ = only(send, retry={"base": "1ms", "cap": "1ms"}, rate_limit=limit)
        await asyncio.gather(*[top(make_call()) for _ in range(20)])
        times = [at for at, _ in send.sends]
        assert len(times) > 40  # each call is retried, until the retry budget is spent
        assert max(sum(start <= at < start + 1 for at in times) for start in times) <= 10

    run(scenario())


def test_an_open_circuit_takes_no_token() -> None:
    async def scenario() -> None:
        send = Script(503)
        breaker = {"failures": 2, "open": "60s"}
        top, layers = only(send, breaker=breaker, rate_limit={"limits": ["30/1h"], "max_wait": "0s"})
        limiter = next(layer for layer in layers if layer.section == "rate_limit")
        outcomes = [await outcome(top) for _ in range(10)]
        assert outcomes == [503, 503] + [CircuitOpen] * 8
        limits = limiter.snapshot(asyncio.get_running_loop().time())["limits"]
        assert limits == [{"limit": "30/1h", "tokens": pytest.approx(1.0), "burst": pytest.approx(3.0)}]

    run(scenario())


def test_a_refusal_by_the_limiter_gives_the_probe_back() -> None:
    async def scenario() -> None:
        send = Script(503, 200)
        breaker = {"failures": 1, "open": "1s", "open_max": "1s", "successes": 1}
        top, _ = only(send, breaker=breaker, rate_limit={"limits": ["1/4s"], "max_wait": "0s"})
        assert await outcome(top) == 503
        await asyncio.sleep(2)
        assert [await outcome(top) for _ in range(2)] == [RateLimited, RateLimited]
        await asyncio.sleep(2.5)
        assert await outcome(top) == 200

    run(scenario())


def test_the_secret_is_on_what_is_sent_and_on_nothing_above_it() -> None:
    async def scenario() -> None:
        send = Script(200)
        top, _ = stack(send)
        call = make_call(headers={"Authorization": "Bearer placeholder"})
        await top(call)
        assert send.sends[0][1].headers == [(b"Authorization", b"Bearer sk_test_example")]
        assert call.headers == [(b"Authorization", b"Bearer placeholder")]

    run(scenario())


async def outcome(handler: Handler) -> int | type[Exception]:
    try:
        return (await handler(make_call())).status
    except (CircuitOpen, RateLimited) as error:
        return type(error)


def test_the_joint_picks_the_leg_of_the_calls_account() -> None:
    async def scenario() -> None:
        own, eu = Script(200), Script(201)
        pick = joint({None: own, "eu": eu})
        call = make_call()
        call.account = "eu"
        assert [(await pick(one)).status for one in (make_call(), call)] == [200, 201]

    run(scenario())


def test_layers_of_the_same_section_take_over_from_one_another() -> None:
    async def scenario() -> None:
        breaker = {"failures": 1, "open": "60s"}
        old, before = only(Script(503), breaker=breaker)
        await old(make_call())
        top, layers = only(Script(200), breaker=breaker, timeout={})
        take_over(layers, before)
        assert await outcome(top) is CircuitOpen

    run(scenario())


def test_what_an_operator_did_is_done_to_the_layers_that_come_after() -> None:
    async def scenario() -> None:
        _, old = stack(Script(200))
        _, new = stack(Script(200), bulkhead=False)
        for layer in old:
            if "report" in layer.actions:
                layer.actions["report"]()
        keep_overrides(new, old)
        assert {layer.section for layer in new if layer.overrides == ("report",)} == {
            "breaker", "rate_limit", "credential",
        }  # fmt: skip

    run(scenario())
