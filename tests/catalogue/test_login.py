"""Login and the graph behind it: Facebook's two presets and Apple's."""

import json
from urllib.parse import parse_qs

import jwt
import pytest

from proxy.core.call import WholeBody
from proxy.core.outcome import Outcome
from tests.support.keys import ec_key, pem, public_pem
from tests.support.presets import may_repeat, profile, section, sent, verdict
from tests.support.schemes import call_of

PROOF = b"d52ddf968d622d8af8677906b7fbae09ac1f89f7cd5c1584b27544624cc23e5a"  # over access_token, with app_secret


def error(code: int, **more: object) -> str:
    return json.dumps({"error": {"message": "No", "code": code, "fbtrace_id": "A1", **more}})


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        *((status, error(code), Outcome.THROTTLED) for status in (400, 403) for code in (4, 17, 32, 341, 613)),
        (400, error(190), Outcome.UNAUTHORISED),
        (401, error(190), Outcome.UNAUTHORISED),
        (400, error(1), Outcome.FAILED),
        (400, error(2), Outcome.FAILED),
        (400, error(99, is_transient=True), Outcome.FAILED),
        (400, error(99, is_transient=False), Outcome.REFUSED),
        (400, error(100), Outcome.REFUSED),
        (400, error(41), Outcome.REFUSED),
        (403, error(200), Outcome.REFUSED),
        (500, error(1), Outcome.FAILED),
    ],
)
def test_facebooks_answer_is_judged_by_the_code_in_its_body(status: int, body: str, outcome: Outcome) -> None:
    assert verdict("facebook", status, body) is outcome


def test_facebook_gets_the_token_and_the_proof_of_the_apps_secret() -> None:
    call = call_of(b"/v24.0/me?fields=id&access_token=placeholder&appsecret_proof=placeholder")
    out = sent("facebook", call, {"FACEBOOK_ACCESS_TOKEN": "access_token", "FACEBOOK_APP_SECRET": "app_secret"})
    assert out.target == b"/v24.0/me?fields=id&appsecret_proof=" + PROOF
    assert out.headers == [(b"Authorization", b"Bearer access_token")]


def test_a_login_code_is_exchanged_with_the_apps_secret_and_never_twice() -> None:
    call = call_of(b"/v24.0/oauth/access_token?client_id=1&client_secret=placeholder&code=c")
    out = sent("facebook-login", call, {"FACEBOOK_APP_SECRET": "sk_test_example"})
    assert out.target == b"/v24.0/oauth/access_token?client_id=1&code=c&client_secret=sk_test_example"
    assert section("facebook-login", "retry") is False


@pytest.mark.parametrize("key", ["client_secret", "code"])
def test_what_a_login_carries_is_never_shown(key: str) -> None:
    for name in ("facebook", "facebook-login", "apple"):
        assert key in profile(name).sensitive_query
        assert key in profile(name).sensitive_fields


def test_facebook_signs_events_as_github_does() -> None:
    webhook = profile("facebook").webhook
    assert webhook is not None
    assert (webhook.scheme, webhook.header) == ("github", "x-hub-signature-256")


def test_apples_client_secret_is_a_token_of_the_teams_in_a_form_field() -> None:
    credential = section("apple", "credential")
    assert (credential.scheme, credential.algorithm, credential.field) == ("jwt", "ES256", "client_secret")
    assert credential.audience == "https://appleid.apple.com"
    assert (str(credential.issuer), str(credential.subject)) == ("env:APPLE_TEAM_ID", "env:APPLE_CLIENT_ID")
    assert 0 < credential.lifetime <= 15_777_000


def test_whatever_stands_in_apples_client_secret_is_replaced_by_a_token_that_apple_can_check() -> None:
    headers = [(b"Content-Type", b"application/x-www-form-urlencoded")]
    form = WholeBody(b"client_id=com.example&client_secret=placeholder&code=c&grant_type=authorization_code")
    secrets = {
        "APPLE_PRIVATE_KEY": pem(ec_key()),
        "APPLE_KEY_ID": "KEY1234567",
        "APPLE_TEAM_ID": "TEAM123456",
        "APPLE_CLIENT_ID": "com.example",
    }
    out = sent("apple", call_of(b"/auth/token", headers, "POST", form), secrets)
    fields = parse_qs((out.body.whole or b"").decode())
    token = fields.pop("client_secret")[0]
    assert fields == {"client_id": ["com.example"], "code": ["c"], "grant_type": ["authorization_code"]}
    assert jwt.get_unverified_header(token)["kid"] == "KEY1234567"
    claims = jwt.decode(
        token,
        public_pem(ec_key()),
        algorithms=["ES256"],
        audience="https://appleid.apple.com",
        options={"verify_iat": False, "verify_exp": False},  # the test's clock is in the future
    )
    assert (claims["iss"], claims["sub"]) == ("TEAM123456", "com.example")


def test_apple_exchanges_a_code_once() -> None:
    assert not may_repeat("apple", call_of(b"/auth/token", method="POST"))
