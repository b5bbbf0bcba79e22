"""What tidegate calls by itself has its own retry, breaker, timeout and connections."""

from dataclasses import replace

import pytest

from proxy.core.call import Call, WholeBody
from proxy.core.errors import CircuitOpen, ConnectFailed
from proxy.core.events import BreakerChanged, CallEnded, Event
from proxy.core.profile import Operation, Profile
from proxy.core.record import Record
from proxy.core.runtime import Runtime
from proxy.endpoints import Endpoints
from proxy.legs import now
from proxy.settings import Leg
from tests.support.caller import run_on_uvloop
from tests.support.script import make_runtime
from tests.support.sidecar import free_port
from tests.support.wire import Wire, reply

PROFILE = Profile(repeatable=(Operation(path="/*"),))


def around(events: list[Event] | None = None) -> Runtime:
    return replace(make_runtime(events, provider="paypal"), now=now)


def endpoints(**keys: object) -> Endpoints:
    return Endpoints(Leg.model_validate({"base_url": "https://api.example.com", **keys}), lambda: None)


def make_call(target: bytes = b"/token") -> Call:
    return Call("paypal", "POST", target, [], WholeBody(b"grant_type=x"), Record(now()))


def test_a_call_reaches_the_endpoint_and_is_told_under_its_own_name() -> None:
    async def scenario() -> None:
        events: list[Event] = []
        async with Wire(reply(200, b"{}")) as wire:
            ends = endpoints()
            answer = await ends.open(f"{wire.url}/oauth", PROFILE, around(events))(make_call())
            assert (answer.status, answer.body) == (200, b"{}")
            assert (wire.requests[0].target, wire.requests[0].body) == (b"/oauth/token", b"grant_type=x")
            ends.close()
            await wire.until(lambda: wire.open == 0)
        (ended,) = events
        assert isinstance(ended, CallEnded)
        assert (ended.provider, ended.reply, ended.source, ended.reason) == ("paypal/token", answer, "provider", "")

    run_on_uvloop(scenario())


def test_what_may_be_repeated_is_and_a_breaker_of_its_own_opens() -> None:
    async def scenario() -> None:
        events: list[Event] = []
        async with Wire(reply(503)) as wire:
            handler = endpoints().open(wire.url, PROFILE, around(events))
            assert (await handler(make_call())).status == 503
            assert len(wire.requests) == 3
            await handler(make_call())
            with pytest.raises(CircuitOpen):
                await handler(make_call())
        told = [(type(event), event.provider) for event in events if isinstance(event, BreakerChanged)]
        assert told == [(BreakerChanged, "paypal/token")]
        last = events[-1]
        assert isinstance(last, CallEnded)
        assert (last.source, last.reason, last.reply and last.reply.status) == ("sidecar", "circuit_open", 503)

    run_on_uvloop(scenario())


def test_an_endpoint_that_is_not_there_fails_as_a_provider_does() -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectFailed):
            await endpoints().open(f"http://127.0.0.1:{free_port()}", PROFILE, around())(make_call())

    run_on_uvloop(scenario())


def test_the_same_address_and_profile_share_one_and_others_have_names_of_their_own() -> None:
    async def scenario() -> None:
        ends = endpoints()
        first = ends.open("https://auth.example.com", PROFILE, around())
        assert ends.open("https://auth.example.com", Profile(repeatable=PROFILE.repeatable), around()) is first
        assert ends.open("https://login.example.com", PROFILE, around()) is not first
        assert ends.keys == ["token", "token-2"]
        snapshots = ends.snapshots(now())
        assert {key: list(one) for key, one in snapshots.items()} == {
            key: ["retry", "breaker", "timeout", "upstream"] for key in ends.keys
        }

    run_on_uvloop(scenario())


def test_the_endpoint_is_bound_by_the_providers_rules_on_destinations() -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError, match="in the clear"):
            endpoints().open("http://auth.example.com", PROFILE, around())
        allowing = endpoints(allow_cleartext=True)
        allowing.open("http://auth.example.com", PROFILE, around())
        assert allowing.keys == ["token"]

    run_on_uvloop(scenario())


def test_a_reload_goes_on_with_what_is_known_of_the_same_endpoint() -> None:
    async def scenario() -> None:
        async with Wire(reply(503)) as wire:
            old, new = endpoints(), endpoints()
            handler = old.open(wire.url, PROFILE, around())
            for _ in range(2):
                await handler(make_call())
            fresh, other = (new.open(url, PROFILE, around()) for url in (wire.url, f"{wire.url}/other"))
            new.adopt(old)
            with pytest.raises(CircuitOpen):
                await fresh(make_call())
            assert (await other(make_call())).status == 503

    run_on_uvloop(scenario())
