"""One leg: what makes it what it is, what it tells, and what outlasts a reload."""

import itertools
from typing import Any

import pytest

from proxy.addresses import parse_base_url
from proxy.core.call import Call, Handler, Reply
from proxy.core.errors import CircuitOpen
from proxy.core.profile import Profile
from proxy.core.runtime import Runtime
from proxy.core.secret import Secret, SecretRef
from proxy.edge.secrets import Secrets
from proxy.legs import Around, LiveLeg, build_leg, essence, now
from proxy.settings import Account, Leg
from tests.support.caller import run_on_uvloop
from tests.support.script import make_call
from tests.support.wire import Wire, reply


def config(**keys: Any) -> Leg:
    return Account.model_validate({"base_url": "https://api.example.com", "retry": False, **keys})


def build(leg: Leg, account: str = "", profile: Profile | None = None) -> LiveLeg:
    around = Around(
        Secrets(lambda _: None, {"KEY": "sk_test_example"}), lambda _: None, lambda: parse_base_url("http://x")
    )
    return build_leg("acme", account, leg, profile or Profile(), around)


def test_a_leg_is_what_its_keys_and_its_profile_make_it() -> None:
    variants = [
        essence(config(), Profile()),
        essence(config(timeout={"attempt": "1s"}), Profile()),
        essence(config(allow_private=True), Profile()),
        essence(config(credential={"scheme": "bearer", "token": "env:KEY"}), Profile()),
        essence(config(), Profile(title="Acme")),
    ]
    assert all(one != other for one, other in itertools.combinations(variants, 2))
    assert essence(config(), Profile()) == variants[0]


def test_it_has_the_layers_of_one_upstream_and_tells_their_state() -> None:
    async def scenario() -> None:
        leg = build(config(credential={"scheme": "bearer", "token": "env:KEY"}))
        assert list(leg.snapshot(now())) == ["breaker", "rate_limit", "credential", "timeout", "upstream"]
        assert leg.missing_secrets() == []
        leg.close()

    run_on_uvloop(scenario())


def test_a_missing_secret_is_told() -> None:
    async def scenario() -> None:
        assert build(config(credential={"scheme": "bearer", "token": "env:NONE"})).missing_secrets() == [
            "env:NONE: the variable is not set"
        ]

    run_on_uvloop(scenario())


def test_its_runtime_tells_layers_where_they_are() -> None:
    async def scenario() -> None:
        runtime: Runtime = build(config(base_url="https://api.example.com:8443/v2"), "eu").runtime
        assert (runtime.provider, runtime.account) == ("acme", "eu")
        assert (runtime.authority, runtime.base_path) == (b"api.example.com:8443", b"/v2")
        assert runtime.secret(SecretRef("env", "KEY")).problem == ""

    run_on_uvloop(scenario())


def test_its_runtime_tells_when_one_of_its_secrets_has_changed() -> None:
    async def scenario() -> None:
        runtime = build(config(credential={"scheme": "bearer", "token": "env:KEY"})).runtime
        assert runtime.generations() == ((SecretRef("env", "KEY"), 1),)
        runtime.secret(SecretRef("env", "KEY")).put(Secret("sk_test_example_new"))
        assert runtime.generations() == ((SecretRef("env", "KEY"), 2),)

    run_on_uvloop(scenario())


def test_an_endpoint_shows_in_its_state_and_closes_with_it() -> None:
    async def scenario() -> None:
        async with Wire() as wire:
            leg = build(config())
            handler: Handler = leg.runtime.endpoint(wire.url, Profile())
            answer: Reply = await handler(make_call())
            assert answer.status == 200
            state = leg.snapshot(now())["endpoint"]["token"]
            assert (state["upstream"]["origin"], state["upstream"]["idle"]) == (wire.url, 1)
            leg.close()
            await wire.until(lambda: wire.open == 0)

    run_on_uvloop(scenario())


@pytest.mark.parametrize("moved", [False, True])
def test_what_is_known_of_an_address_is_kept_while_the_address_stays(moved: bool) -> None:
    async def scenario() -> None:
        async with Wire(reply(500)) as wire, Wire(reply(200)) as other:
            breaker = {"failures": 1, "open": "60s"}
            old = build(config(base_url=wire.url, breaker=breaker))
            call: Call = make_call()
            assert (await old.handler(call)).status == 500
            new = build(config(base_url=other.url if moved else wire.url, breaker=breaker, allow_private=True))
            new.adopt(old)
            if moved:
                assert (await new.handler(make_call())).status == 200
            else:
                with pytest.raises(CircuitOpen):
                    await new.handler(make_call())

    run_on_uvloop(scenario())
