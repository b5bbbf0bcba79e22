import pytest

from proxy.core.errors import CredentialMissing
from proxy.core.profile import Profile
from proxy.credentials import Basic, Bearer, QueryKey
from proxy.policies.credential import Credential
from tests.support.script import Script, make_call, make_runtime
from tests.support.virtual import run

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
        "scheme": "basic",
        "secrets": [
            {"ref": "env:SID", "loaded": True, "problem": ""},
            {"ref": "file:/token", "loaded": False, "problem": "not read yet"},
        ],
    }
