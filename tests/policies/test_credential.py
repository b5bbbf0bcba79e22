import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from proxy.core.call import Call, Reply
from proxy.core.errors import CredentialMissing, CredentialRefused
from proxy.core.events import CredentialHeld, Event, WouldRefuse
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile
from proxy.core.runtime import Runtime
from proxy.core.secret import Secret, SecretRef
from proxy.credentials import Basic, Bearer, QueryKey
from proxy.policies.credential import Credential
from proxy.sansio.rotation import HOLD_S, REFUSALS
from tests.support.script import Script, make_call, make_reply, make_runtime
from tests.support.virtual import START, run

BEARER = Bearer.Config.model_validate({"scheme": "bearer", "token": "env:KEY"})


def test_the_provider_gets_the_credential_and_the_call_stays_without_one() -> None:
    provider = Script(200)
    call = make_call(headers={"Authorization": "Bearer placeholder", "Accept": "*/*"})
    policy = Credential(provider, BEARER, make_runtime(secrets={"env:KEY": "sk_test_example"}))
    reply = run(policy(call))
    [(_, sent)] = provider.sends
    assert reply.status == 200
    assert sent.headers == [(b"Authorization", b"Bearer sk_test_example"), (b"Accept", b"*/*")]
    assert call.headers == [(b"Authorization", b"Bearer placeholder"), (b"Accept", b"*/*")]


def test_the_target_may_carry_the_credential_too() -> None:
    provider = Script(200)
    config = QueryKey.Config.model_validate({"scheme": "query", "name": "key", "value": "env:KEY"})
    call = make_call(target=b"/v1?key=placeholder")
    run(Credential(provider, config, make_runtime(secrets={"env:KEY": "sk_test_example"}))(call))
    assert provider.sends[0][1].target == b"/v1?key=sk_test_example"
    assert call.target == b"/v1?key=placeholder"


def test_every_place_that_the_profile_names_is_cleaned() -> None:
    provider = Script(200)
    profile = Profile(strip_headers=("X-Api-Key",), strip_query=("_token",))
    runtime = make_runtime(profile=profile, secrets={"env:KEY": "sk_test_example"})
    run(Credential(provider, BEARER, runtime)(make_call(target=b"/v1?_token=x&a=1", headers={"x-api-key": "x"})))
    [(_, sent)] = provider.sends
    assert sent.target == b"/v1?a=1"
    assert sent.headers == [(b"Authorization", b"Bearer sk_test_example")]


def test_a_call_whose_secret_is_missing_is_never_sent() -> None:
    provider = Script(200)
    with pytest.raises(CredentialMissing, match="env:KEY"):
        run(Credential(provider, BEARER, make_runtime())(make_call()))
    assert provider.sends == []


def test_what_the_provider_raises_comes_through() -> None:
    with pytest.raises(OSError, match="scripted"):
        run(Credential(Script(OSError), BEARER, make_runtime(secrets={"env:KEY": "sk_test_example"}))(make_call()))


def test_the_snapshot_tells_which_secret_is_missing_and_no_value() -> None:
    config = Basic.Config.model_validate({"scheme": "basic", "username": "env:SID", "password": "file:/token"})
    policy = Credential(Script(200), config, make_runtime(secrets={"env:SID": "AC_example"}))
    assert policy.snapshot(0.0) == {
        "live": [{"secret": "only", "refusals": 0, "held_s": 0.0}],
        "scheme": "basic",
        "secrets": [
            {"ref": "env:SID", "loaded": True, "problem": "", "since_ts": 0.0},
            {"ref": "file:/token", "loaded": False, "problem": "not read yet", "since_ts": 0.0},
        ],
        "mode": "enforce",
    }


TWO = Bearer.Config.model_validate({"scheme": "bearer", "token": ["env:NEW", "env:OLD"]})
SECRETS = {"env:NEW": "sk_test_new", "env:OLD": "sk_test_old"}


def takes(*tokens: str) -> Callable[[Call], Awaitable[Reply]]:
    """Return a provider that knows these tokens and answers 401 to every other."""

    async def answer(call: Call) -> Reply:
        known = dict(call.headers)[b"Authorization"] in {f"Bearer {token}".encode() for token in tokens}
        reply = make_reply(200 if known else 401)
        reply.outcome = Outcome.OK if known else Outcome.UNAUTHORISED
        return reply

    return answer


def carried(provider: Script) -> list[str]:
    return [dict(call.headers)[b"Authorization"].decode().removeprefix("Bearer ") for _, call in provider.sends]


def test_of_two_live_secrets_the_new_one_goes_first() -> None:
    provider = Script(takes("sk_test_new", "sk_test_old"))
    run(Credential(provider, TWO, make_runtime(secrets=SECRETS))(make_call()))
    assert carried(provider) == ["sk_test_new"]


def test_a_refused_new_secret_gives_way_to_the_old_one_which_is_remembered() -> None:
    provider, events = Script(takes("sk_test_old")), list[Event]()

    async def main() -> list[Reply]:
        policy = Credential(provider, TWO, make_runtime(events, secrets=SECRETS))
        return [await policy(make_call()) for _ in range(3)]

    replies = run(main())
    assert carried(provider) == ["sk_test_new", "sk_test_old", "sk_test_old"]
    assert [reply.renewed for reply in replies] == [True, False, False]
    assert events == [CredentialHeld("acme", "", "new", 1, HOLD_S)]


def test_the_last_use_of_each_of_two_secrets_is_told() -> None:
    provider = Script(takes("sk_test_old"))

    async def main() -> dict[str, object]:
        policy = Credential(provider, TWO, make_runtime(secrets=SECRETS))
        await policy(make_call())
        await policy(make_call())
        return policy.snapshot(START)

    live = run(main())["live"]
    assert isinstance(live, list)
    assert [(one["secret"], one["refusals"], one["last_used_ts"] > 0) for one in live] == [
        ("new", 1, True),
        ("old", 0, True),
    ]


def test_a_call_is_offered_another_credential_only_once() -> None:
    async def main() -> list[bool]:
        policy = Credential(Script(takes()), TWO, make_runtime(secrets=SECRETS))
        call = make_call()
        return [(await policy(call)).renewed for _ in range(3)]

    assert run(main()) == [True, False, False]


def test_a_secret_that_is_refused_again_and_again_is_not_sent_and_that_is_told_once() -> None:
    provider, events = Script(takes()), list[Event]()

    async def main() -> CredentialRefused:
        policy = Credential(provider, BEARER, make_runtime(events, secrets={"env:KEY": "sk_test_example"}))
        for _ in range(REFUSALS):
            assert (await policy(make_call())).status == 401
        with pytest.raises(CredentialRefused) as caught:
            await policy(make_call())
        return caught.value

    refusal = run(main())
    assert refusal.retry_after_s == pytest.approx(HOLD_S, abs=0.01)
    assert "sk_test" not in refusal.detail
    assert len(provider.sends) == REFUSALS
    assert events == [CredentialHeld("acme", "", "only", REFUSALS, HOLD_S)]


def test_report_counts_a_hold_and_goes_on_sending() -> None:
    provider, events = Script(takes()), list[Event]()
    config = Bearer.Config.model_validate({"scheme": "bearer", "token": "env:KEY", "mode": "report"})

    async def main() -> None:
        policy = Credential(provider, config, make_runtime(events, secrets={"env:KEY": "sk_test_example"}))
        for _ in range(REFUSALS + 1):
            await policy(make_call())

    run(main())
    assert len(provider.sends) == REFUSALS + 1
    assert events[-1] == WouldRefuse("acme", "credential", "credential_refused")


def test_a_new_value_of_the_secret_is_tried_at_once() -> None:
    provider = Script(takes("sk_test_next"))

    async def main() -> int:
        runtime = make_runtime(secrets={"env:KEY": "sk_test_example"})
        policy = Credential(provider, BEARER, runtime)
        for _ in range(REFUSALS):
            await policy(make_call())
        runtime.secret(SecretRef("env", "KEY")).put(Secret("sk_test_next"))
        return (await policy(make_call())).status

    assert run(main()) == 200


def test_a_refused_file_is_read_again_before_anything_is_concluded() -> None:
    provider = Script(takes("sk_test_next"))
    config = Bearer.Config.model_validate({"scheme": "bearer", "token": "file:/token"})
    plain = make_runtime(secrets={"file:/token": "sk_test_example"})

    async def reread() -> None:
        plain.secret(SecretRef("file", "/token")).put(Secret("sk_test_next"))

    async def main(runtime: Runtime) -> list[bool]:
        policy = Credential(provider, config, runtime)
        return [(await policy(make_call())).renewed for _ in range(2)]

    assert run(main(replace(plain, reread=reread))) == [True, False]
    assert carried(provider) == ["sk_test_example", "sk_test_next"]


def test_refusals_are_remembered_over_a_reload_that_leaves_the_credential() -> None:
    async def main() -> None:
        runtime = make_runtime(secrets={"env:KEY": "sk_test_example"})
        old = Credential(Script(takes()), BEARER, runtime)
        for _ in range(REFUSALS):
            await old(make_call())
        new = Credential(Script(200), BEARER, runtime)
        new.adopt(old)
        with pytest.raises(CredentialRefused):
            await new(make_call())
        other = Credential(Script(200), TWO, runtime)
        other.adopt(old)
        with pytest.raises(CredentialMissing):
            await other(make_call())

    run(main())


def test_a_secret_that_was_rotated_and_is_refused_from_then_on_is_held_too() -> None:
    events = list[Event]()

    async def main() -> None:
        runtime = make_runtime(events, secrets={"env:KEY": "sk_test_example"})
        policy = Credential(Script(takes("sk_test_example")), BEARER, runtime)
        await policy(make_call())
        runtime.secret(SecretRef("env", "KEY")).put(Secret("sk_test_wrong"))
        for _ in range(REFUSALS):
            await policy(make_call())
        with pytest.raises(CredentialRefused):
            await policy(make_call())

    run(main())
    assert events == [CredentialHeld("acme", "", "only", REFUSALS, HOLD_S)]


@pytest.mark.parametrize(("status", "held"), [(503, True), (429, True), (404, False), (200, False)])
def test_only_an_answer_that_looked_at_the_credential_clears_its_refusals(status: int, held: bool) -> None:
    async def main() -> bool:
        provider = Script(*[401] * (REFUSALS - 1), status, 401, 200)
        policy = Credential(provider, BEARER, make_runtime(secrets={"env:KEY": "sk_test_example"}))
        for _ in range(REFUSALS + 1):
            await policy(make_call())
        try:
            await policy(make_call())
        except CredentialRefused:
            return True
        return False

    assert run(main()) is held


def test_the_last_uses_are_remembered_over_a_reload_because_an_old_secret_is_revoked_by_them() -> None:
    async def main() -> tuple[object, object]:
        runtime = make_runtime(secrets=SECRETS)
        old = Credential(Script(takes("sk_test_old")), TWO, runtime)
        await old(make_call())
        await old(make_call())
        new = Credential(Script(200), TWO, runtime)
        new.adopt(old)
        return old.snapshot(START)["live"], new.snapshot(START)["live"]

    before, after = run(main())
    assert before == after


@pytest.mark.parametrize(("headers", "tried"), [({"Idempotency-Key": "k"}, True), ({}, False)])
def test_a_new_secret_that_was_refused_is_tried_again_by_a_post_that_may_be_sent_twice(
    headers: dict[str, str],
    tried: bool,
) -> None:
    provider = Script(takes("sk_test_old"))

    async def main() -> None:
        policy = Credential(provider, TWO, make_runtime(secrets=SECRETS))
        await policy(make_call())
        await asyncio.sleep(HOLD_S)
        await policy(make_call("POST", headers=headers))

    run(main())
    assert carried(provider)[-1] == ("sk_test_new" if tried else "sk_test_old")
