import asyncio
import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from proxy.core.call import Call, Reply
from proxy.core.errors import CredentialRefused, TokenUnavailable
from proxy.core.events import Event
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.core.runtime import Runtime
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.credentials.grant_config import OAuth2Config
from proxy.credentials.oauth2 import OAuth2
from proxy.policies.credential import Credential
from proxy.sansio.tokens import FORCED_GAP_S
from tests.support.schemes import call_of, injected, slots_of
from tests.support.script import Script, Step, after, make_call, make_reply, make_runtime
from tests.support.tokens import numbered
from tests.support.virtual import run

SETTINGS = {
    "scheme": "oauth2", "grant": "client_credentials", "token_url": "https://auth.example.com/token",
    "client_id": "app", "client_secret": "env:KEY", "client_auth": "body",
}  # fmt: skip


def config(**written: Any) -> OAuth2Config:
    return OAuth2Config.model_validate(SETTINGS | written)


def runtime_with(endpoint: Script, profile: Profile | None = None, events: list[Event] | None = None) -> Runtime:
    made = make_runtime(events, profile, secrets={"env:KEY": "sk_test_example", "env:OLD": "sk_test_old"})
    return replace(made, endpoint=lambda _url, _profile: endpoint)


def scheme(endpoint: Script, profile: Profile | None = None, **written: Any) -> OAuth2:
    slots = slots_of({"env:KEY": "sk_test_example"})
    return OAuth2(config(**written), slots, runtime_with(endpoint, profile))


def sent_with(call: Call) -> str:
    return next(value.decode() for name, value in call.headers if name == b"Authorization")


def test_the_token_stands_where_the_callers_credential_stood() -> None:
    call = call_of(headers=[(b"Host", b"a"), (b"authorization", b"Bearer placeholder"), (b"Accept", b"*/*")])
    assert injected(scheme(Script(numbered())), call).headers == [
        (b"Host", b"a"),
        (b"Authorization", b"Bearer tok_1"),
        (b"Accept", b"*/*"),
    ]


def test_another_header_without_a_prefix() -> None:
    made = scheme(Script(numbered()), header="X-Shop-Access-Token", prefix=None)
    call = call_of(headers=[(b"x-shop-access-token", b"placeholder")])
    assert injected(made, call).headers == [(b"X-Shop-Access-Token", b"tok_1")]


def test_the_header_is_the_same_object_while_the_token_stays() -> None:
    made = scheme(Script(numbered()))
    assert injected(made, call_of()).headers[0] is injected(made, call_of()).headers[0]


def test_a_token_that_ended_since_it_was_waited_for_is_not_sent() -> None:
    made = scheme(Script(numbered()))

    async def scenario() -> None:
        call = make_call()
        await made.prepare(call)
        await asyncio.sleep(3600)  # another part of the credential waited for the body
        with pytest.raises(TokenUnavailable, match="just ended"):
            made.inject(call.outgoing(), 0, call)

    run(scenario())


TOKEN_PATH = Profile(token_path="/v1/oauth2/token")


def test_an_sdk_that_fetches_a_token_of_its_own_gets_a_placeholder() -> None:
    provider, endpoint = Script(200), Script(numbered())
    policy = Credential(provider, config(), runtime_with(endpoint, TOKEN_PATH))
    reply = run(policy(make_call("POST", b"/v1/oauth2/token?x=1")))
    assert json.loads(reply.body) == {
        "access_token": "placeholder", "token_type": "Bearer", "expires_in": 3600, "token": "placeholder",
        "expires_at": "2027-01-15T09:16:40Z",
    }  # fmt: skip
    assert (reply.status, reply.own, provider.sends, endpoint.sends) == (200, True, [], [])
    assert reply.outcome is Outcome.IGNORED  # it must not close a breaker
    assert dict(reply.headers)[b"Content-Length"] == b"%d" % len(reply.body)


@pytest.mark.parametrize(
    ("profile", "method", "target"),
    [
        (TOKEN_PATH, "GET", b"/v1/oauth2/token"),
        (TOKEN_PATH, "POST", b"/v1/oauth2/token/terminate"),
        (Profile(), "POST", b"/v1/oauth2/token"),
    ],
)
def test_any_other_call_is_the_providers_to_answer(profile: Profile, method: str, target: bytes) -> None:
    assert scheme(Script(numbered()), profile).answer(make_call(method, target)) is None


def accepting(*texts: str) -> Step:
    """A provider's step: 401 for every other token."""
    return lambda call: make_reply(200 if sent_with(call).removeprefix("Bearer ") in texts else 401)


def test_a_refused_token_is_replaced_and_the_call_may_be_sent_again() -> None:
    provider = Script(accepting("tok_2"))
    policy = Credential(provider, config(), runtime_with(Script(numbered())))

    async def scenario() -> list[tuple[int, bool]]:
        replies = [await policy(make_call()) for _ in range(3)]
        return [(reply.status, reply.renewed) for reply in replies]

    assert run(scenario()) == [(401, True), (200, False), (200, False)]
    assert [sent_with(call) for _, call in provider.sends] == ["Bearer tok_1", "Bearer tok_2", "Bearer tok_2"]


def test_a_thousand_refusals_of_one_token_replace_it_once_and_are_not_held_against_the_secret() -> None:
    provider, endpoint, events = Script(after(1.0, accepting("tok_2"))), Script(numbered()), list[Event]()
    policy = Credential(provider, config(), runtime_with(endpoint, events=events))

    async def scenario() -> None:
        replies = await asyncio.gather(*[policy(make_call()) for _ in range(1000)])
        assert {(reply.status, reply.renewed) for reply in replies} == {(401, True)}
        replies = await asyncio.gather(*[policy(make_call()) for _ in range(1000)])
        assert {reply.status for reply in replies} == {200}

    run(scenario())
    assert len(endpoint.sends) == 2
    assert [type(event).__name__ for event in events] == ["TokenFetched", "TokenFetched"]


def test_a_late_refusal_of_a_former_token_leaves_the_new_one_alone() -> None:
    endpoint = Script(numbered())
    made = scheme(endpoint)

    async def scenario() -> list[bool]:
        late = make_call()
        await made.prepare(late)
        late.headers = []
        made.inject(late, 0, late)
        first = made.rejected(late)
        await made.prepare(make_call())
        await asyncio.sleep(FORCED_GAP_S + 1)
        second = made.rejected(late)
        await made.prepare(make_call())
        return [first, second]

    assert run(scenario()) == [True, True]
    assert len(endpoint.sends) == 2


def test_a_provider_that_refuses_every_token_means_the_secret_and_it_is_held() -> None:
    endpoint = Script(numbered())
    policy = Credential(Script(401), config(), runtime_with(endpoint))

    async def scenario() -> int:
        sent = 0
        for _ in range(600):
            try:
                await policy(make_call())
                sent += 1
            except CredentialRefused:
                pass
            await asyncio.sleep(0.5)
        return sent

    assert run(scenario()) < 40
    assert len(endpoint.sends) < 12


def test_of_two_live_client_secrets_the_one_that_the_endpoint_takes_is_used() -> None:
    def answer(call: Call) -> Reply:
        used = parse_qs((call.body.whole or b"").decode())["client_secret"][0]
        if used != "sk_test_old":
            return make_reply(401, body=b'{"error":"invalid_client"}')
        return make_reply(200, body=b'{"access_token":"tok_old"}')

    provider, endpoint = Script(200), Script(answer)
    policy = Credential(provider, config(client_secret=["env:KEY", "env:OLD"]), runtime_with(endpoint))

    async def scenario() -> None:
        for _ in range(5):
            assert (await policy(make_call())).status == 200

    run(scenario())
    assert {sent_with(call) for _, call in provider.sends} == {"Bearer tok_old"}
    assert len(endpoint.sends) == 2


def test_a_reload_goes_on_with_the_token_and_with_a_fetch_that_is_under_way() -> None:
    slot = SecretSlot(SecretRef("env", "KEY"))
    slot.put(Secret("sk_test_example"))
    first, second = Script(after(5.0, numbered())), Script(numbered())
    old, new = (OAuth2(config(), lambda _: slot, runtime_with(endpoint)) for endpoint in (first, second))

    async def scenario() -> None:
        waiting = asyncio.create_task(old.prepare(make_call()))
        await asyncio.sleep(1)
        new.adopt(old)
        await new.prepare(make_call())
        await waiting
        assert (len(first.sends), len(second.sends)) == (1, 0)
        slot.put(Secret("sk_test_other"))
        await new.prepare(make_call())
        assert (len(first.sends), len(second.sends)) == (1, 1)

    run(scenario())


def test_a_scheme_tells_its_place_and_until_when_its_token_is_good() -> None:
    made = scheme(Script(numbered()))
    assert made.places == ("header Authorization",)
    assert "expires_ts" not in made.snapshot()
    injected(made, call_of())
    assert made.snapshot()["expires_ts"] == pytest.approx(1_800_004_600.0, abs=0.01)
