import base64
import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import jwt
import pytest
from google.oauth2 import service_account

from proxy.core.call import field_value
from proxy.core.errors import CredentialMissing
from proxy.core.secret import Secret, SecretRef, SecretRefs, SecretSlot
from proxy.credentials.given import Given
from proxy.credentials.grant_config import OAuth2Config
from proxy.credentials.grants import Ask, Grant, grant_of
from tests.support.keys import pem, public_pem, rsa_key

TS = 1_800_000_000.7
URL = "https://auth.example.com/oauth/token?v=2"
GOOGLE_KEY = {
    "type": "service_account", "client_email": "robot@acme.example", "private_key": pem(rsa_key()),
    "private_key_id": "kid-1", "token_uri": "https://elsewhere.example/token",
}  # fmt: skip
VALUES = {
    "env:SECRET": "s p:ce",
    "env:REFRESH": "ref_1",
    "file:/key": pem(rsa_key()),
    "file:/google": json.dumps(GOOGLE_KEY),
}


def slot_of(refs: SecretRefs) -> SecretSlot:
    slot = SecretSlot(refs[0])
    slot.put(Secret(VALUES[str(refs[0])]))
    return slot


def grant(**settings: Any) -> Grant:
    written = {"scheme": "oauth2", "token_url": URL, **settings}
    config = OAuth2Config.model_validate({key: value for key, value in written.items() if value is not None})
    return grant_of(config, Given(config, slot_of))


def client(**settings: Any) -> Ask:
    return grant(grant="client_credentials", client_id="app 1", **settings).ask(TS)


def form(ask: Ask) -> dict[str, str]:
    return dict(parse_qsl(ask.body.decode(), strict_parsing=True))


def decoded(token: str, audience: str) -> dict[str, Any]:
    options: Any = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(token, public_pem(rsa_key()), ["RS256"], audience=audience, options=options)


def test_a_request_goes_to_the_endpoints_own_address_as_a_form() -> None:
    made = grant(grant="client_credentials", client_id="app", client_secret="env:SECRET")
    ask = made.ask(TS)
    assert (made.root, ask.target) == ("https://auth.example.com", b"/oauth/token?v=2")
    assert [header for header in ask.headers if header[0] != b"Authorization"] == [
        (b"User-Agent", b"tidegate"),
        (b"Accept", b"application/json"),
        (b"Content-Type", b"application/x-www-form-urlencoded"),
        (b"Content-Length", b"%d" % len(ask.body)),
    ]


def test_the_client_stands_in_a_header_with_both_parts_form_encoded() -> None:
    ask = client(client_secret="env:SECRET")
    value = field_value(ask.headers, b"authorization") or b""
    assert base64.b64decode(value.removeprefix(b"Basic ")) == b"app+1:s+p%3Ace"
    assert form(ask) == {"grant_type": "client_credentials"}


def test_or_the_client_stands_in_the_form() -> None:
    ask = client(client_secret="env:SECRET", client_auth="body")
    assert form(ask) == {"grant_type": "client_credentials", "client_id": "app 1", "client_secret": "s p:ce"}
    assert field_value(ask.headers, b"authorization") is None


@pytest.mark.parametrize(
    ("written", "audience"), [(None, URL), ("https://oauth2.segment.example", "https://oauth2.segment.example")]
)
def test_or_the_client_signs_an_assertion(written: str | None, audience: str) -> None:
    ask = client(
        client_auth="private_key_jwt", private_key="file:/key", key_id="k1", assertion_audience=written, scope="write"
    )
    told = form(ask)
    assertion = told.pop("client_assertion")
    assert told == {
        "grant_type": "client_credentials", "client_id": "app 1", "scope": "write",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }  # fmt: skip
    claims = decoded(assertion, audience)
    assert claims.pop("jti")
    assert claims == {"iss": "app 1", "sub": "app 1", "aud": audience, "iat": 1_799_999_995, "exp": 1_800_000_055}
    assert jwt.get_unverified_header(assertion)["kid"] == "k1"


def test_scope_audience_and_further_parameters_are_asked_for_and_the_last_have_the_last_word() -> None:
    extra = {"account_id": 7, "grant_type": "account_credentials", "key": "env:REFRESH"}
    assert form(client(client_secret="env:SECRET", scope="a b", audience="https://api.example", extra=extra)) == {
        "grant_type": "account_credentials", "scope": "a b", "audience": "https://api.example", "account_id": "7",
        "key": "ref_1",
    }  # fmt: skip


def test_no_two_assertions_are_the_same() -> None:
    asks = [client(client_auth="private_key_jwt", private_key="file:/key") for _ in range(2)]
    first, second = (decoded(form(ask)["client_assertion"], URL)["jti"] for ask in asks)
    assert first != second


def test_a_refresh_token_is_sent_and_never_by_itself_twice() -> None:
    made = grant(grant="refresh_token", client_id="app", refresh_token="env:REFRESH")
    assert form(made.ask(TS)) == {"grant_type": "refresh_token", "refresh_token": "ref_1", "client_id": "app"}
    assert made.repeatable is False


def test_a_bearer_assertion_stands_for_a_user() -> None:
    made = grant(
        grant="jwt_bearer", private_key="file:/key", issuer="app", subject="user", claims={"scope": "sign"},
        scope="read", assertion_audience="account.example.com",
    )  # fmt: skip
    told = form(made.ask(TS))
    claims = decoded(told.pop("assertion"), "account.example.com")
    assert told == {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "scope": "read"}
    assert claims.pop("jti")
    assert claims == {
        "iss": "app", "sub": "user", "scope": "sign", "aud": "account.example.com", "iat": 1_799_999_995,
        "exp": 1_800_000_055,
    }  # fmt: skip


@pytest.mark.parametrize("subject", [None, "alice@acme.example"])
def test_a_google_service_account_signs_what_googles_own_library_signs(subject: str | None) -> None:
    settings = {"service_account": "file:/google", "scope": "https://a.example/x https://a.example/y"}
    made = grant(grant="google_service_account", subject=subject, token_url="http://127.0.0.1:8080/token", **settings)
    told = form(made.ask(TS))
    theirs = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]  # has no types
        GOOGLE_KEY | {"token_uri": "https://oauth2.googleapis.com/token"},
        subject=subject,
        scopes=settings["scope"].split(),
    )
    assertion = theirs._make_authorization_grant_assertion()
    expected = decoded(assertion.decode(), "https://oauth2.googleapis.com/token")
    claims = decoded(told["assertion"], "https://oauth2.googleapis.com/token")
    assert jwt.get_unverified_header(told["assertion"]) == jwt.get_unverified_header(assertion)
    assert claims | {"iat": 0, "exp": 0} == expected | {"iat": 0, "exp": 0}
    assert claims["exp"] - claims["iat"] == expected["exp"] - expected["iat"] == 3600
    assert told["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.mark.parametrize("root", [None, "https://git.example.com/api/v3", "https://git.example.com/api/v3/"])
def test_a_github_app_asks_for_the_token_of_its_installation(root: str | None) -> None:
    made = grant(grant="github_app", app_id=12, installation_id="3/4", private_key="file:/key", token_url=root)
    ask = made.ask(TS)
    path = b"/app/installations/3%2F4/access_tokens"
    assert ask.target == (path if root is None else b"/api/v3" + path)
    assert made.root == ("https://api.github.com" if root is None else "https://git.example.com")
    token = (field_value(ask.headers, b"authorization") or b"").decode().removeprefix("Bearer ")
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, public_pem(rsa_key()), ["RS256"], options=options)
    assert claims == {"iss": "12", "iat": 1_799_999_940, "exp": 1_800_000_540}
    assert (ask.body, made.token_key) == (b"", "token")


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"client_email": 5}', "5"])
def test_a_google_key_file_of_something_else_is_told_without_any_of_it(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VALUES, "file:/google", text)
    made = grant(grant="google_service_account", service_account="file:/google", scope="x", token_url=None)
    with pytest.raises(CredentialMissing, match="file:/google has no client_email") as caught:
        made.ask(TS)
    assert text not in str(caught.value).replace("JSON key file", "")


def test_a_form_holds_every_parameter_once() -> None:
    ask = client(client_secret="env:SECRET", client_auth="body", extra={"client_id": "other"})
    assert parse_qs(ask.body.decode())["client_id"] == ["other"]


def test_secrets_are_read_anew_for_every_request() -> None:
    slot = SecretSlot(SecretRef("env", "SECRET"))
    slot.put(Secret("first"))
    config = OAuth2Config.model_validate({
        "scheme": "oauth2", "grant": "client_credentials", "token_url": URL, "client_id": "a",
        "client_secret": "env:SECRET", "client_auth": "body",
    })  # fmt: skip
    made = grant_of(config, Given(config, lambda _: slot))
    assert form(made.ask(TS))["client_secret"] == "first"
    slot.put(Secret("second"))
    assert form(made.ask(TS))["client_secret"] == "second"
