import math
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from proxy.core.call import Headers, WholeBody
from proxy.core.errors import BadRequest, BodyTooLarge, CredentialMissing
from proxy.core.events import Event, TokenFetched
from proxy.core.runtime import Runtime
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.credentials.jwt import Jwt
from tests.support.keys import ec_key, pem, public_pem, rsa_key
from tests.support.schemes import call_of, injected
from tests.support.script import make_runtime

TS = 1_800_000_000
APNS: dict[str, Any] = {"algorithm": "ES256", "key_id": "KEY1", "issuer": "TEAM1", "renew": "30m"}
FORM = (b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8")


class Clock:
    """What `Runtime.wall` shows, and what the redactor and the log were told."""

    def __init__(self) -> None:
        self.ts = TS + 0.9
        self.protected: list[str] = []
        self.events: list[Event] = []

    def runtime(self) -> Runtime:
        runtime = make_runtime(self.events)
        return replace(runtime, wall=lambda: self.ts, protect=self.protected.append)


def config(**written: Any) -> Jwt.Config:
    return Jwt.Config.model_validate({"scheme": "jwt", "private_key": "file:/key", **written})


def slot_with(text: str) -> SecretSlot:
    slot = SecretSlot(SecretRef("file", "/key", document=True))
    slot.put(Secret(text))
    return slot


def scheme(clock: Clock, slot: SecretSlot | None = None, **written: Any) -> Jwt:
    made = slot or slot_with(pem(ec_key()))
    return Jwt(config(**(written or APNS)), lambda _: made, clock.runtime())


def token(made: Jwt, headers: Headers | None = None) -> str:
    return next(
        value.decode().removeprefix("Bearer ")
        for name, value in injected(made, call_of(headers=headers)).headers
        if name == b"Authorization"
    )


def claims(text: str, key: Any = None, algorithm: str = "ES256") -> dict[str, Any]:
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False}
    return jwt.decode(text, public_pem(key or ec_key()), [algorithm], options=options)


def test_apns_gets_issuer_and_time_and_the_keys_id_and_nothing_else() -> None:
    text = token(scheme(Clock()))
    assert claims(text) == {"iss": "TEAM1", "iat": TS}
    assert jwt.get_unverified_header(text)["kid"] == "KEY1"


def test_all_calls_share_one_token_until_it_is_time_for_another() -> None:
    clock = Clock()
    made = scheme(clock)
    first = token(made)
    clock.ts += 1799.9
    assert token(made) == first
    clock.ts += 0.2
    second = token(made)
    assert claims(second)["iat"] == TS + 1801
    assert clock.protected == [first, second]
    assert clock.events == [TokenFetched("acme", "", "fetched", 1800.0)] * 2


def test_a_new_key_signs_at_once() -> None:
    slot = slot_with(pem(ec_key(1)))
    made = scheme(Clock(), slot)
    claims(token(made), ec_key(1))
    slot.put(Secret(pem(ec_key(2))))
    claims(token(made), ec_key(2))


def test_a_clock_that_is_set_back_makes_a_new_token_and_one_that_trembles_does_not() -> None:
    clock = Clock()
    made = scheme(clock)
    first = token(made)
    clock.ts -= 30
    assert token(made) == first
    clock.ts -= 3600
    assert claims(token(made))["iat"] == TS - 3630


def test_a_refusal_makes_no_new_token_but_one_that_came_since_is_told() -> None:
    clock = Clock()
    made = scheme(clock)
    sent = injected(made, call_of())
    assert not made.rejected(sent)
    clock.ts += 1801
    injected(made, call_of())
    assert made.rejected(sent)


def test_snowflake_gets_the_fingerprint_of_the_public_key_in_the_issuer() -> None:
    clock = Clock()
    made = scheme(
        clock, slot_with(pem(rsa_key())), algorithm="RS256", issuer="ACME.ALICE", subject="ACME.ALICE", lifetime="59m",
        public_key_fingerprint=True,
    )  # fmt: skip
    told = claims(token(made), rsa_key(), "RS256")
    account, user, fingerprint = told["iss"].split(".", 2)
    assert (account, user, fingerprint[:7], len(fingerprint)) == ("ACME", "ALICE", "SHA256:", 51)
    assert (told["sub"], told["iat"], told["exp"]) == ("ACME.ALICE", TS, TS + 3540)
    assert made.snapshot() == {"expires_ts": TS + 0.9 + 3540}


def test_audience_and_further_claims_are_told() -> None:
    made = scheme(Clock(), **APNS, audience="https://api.example.com", claims={"scope": "read", "tenant": 7})
    assert claims(token(made)) == {
        "iss": "TEAM1", "aud": "https://api.example.com", "scope": "read", "tenant": "7", "iat": TS,
    }  # fmt: skip


def test_another_header_and_no_prefix() -> None:
    made = scheme(Clock(), **APNS, header="X-Client-Token", prefix=None)
    [(name, value)] = injected(made, call_of(headers=[(b"x-client-token", b"placeholder")])).headers
    assert name == b"X-Client-Token"
    assert claims(value.decode())["iss"] == "TEAM1"


def test_a_form_field_holds_the_token_and_every_other_byte_stays() -> None:
    made = scheme(Clock(), algorithm="ES256", issuer="T", subject="app", lifetime="1h", field="client_secret")
    body = WholeBody(b"client_id=app&client_secret=placeholder&code=a%2Fb&grant_type=authorization_code")
    headers = [FORM, (b"Content-Length", b"%d" % len(body.whole)), (b"Authorization", b"Bearer placeholder")]
    call = call_of(b"/auth/token", headers, "POST", body)
    sent = injected(made, call)
    before, _, rest = (sent.body.whole or b"").partition(b"client_secret=")
    text, _, after = rest.partition(b"&")
    assert (before, after) == (b"client_id=app&", b"code=a%2Fb&grant_type=authorization_code")
    assert claims(text.decode())["sub"] == "app"
    assert sent.headers == [FORM, (b"Content-Length", b"%d" % len(sent.body.whole or b""))]
    assert call.body is body
    assert made.places == ("form field client_secret",)


def test_a_call_without_the_field_or_without_a_body_goes_as_it_is() -> None:
    made = scheme(Clock(), algorithm="ES256", field="client_secret")
    body = WholeBody(b"token=x")
    assert injected(made, call_of(b"/", [FORM], "POST", body)).body is body
    assert injected(made, call_of(b"/auth/keys")).target == b"/auth/keys"


@pytest.mark.parametrize(
    "headers", [[], [(b"Content-Type", b"application/json")], [FORM, (b"Content-Encoding", b"gzip")]]
)
def test_a_body_that_is_no_plain_form_is_refused_because_the_placeholder_must_not_go_out(headers: Headers) -> None:
    made = scheme(Clock(), algorithm="ES256", field="client_secret")
    with pytest.raises(BadRequest, match="x-www-form-urlencoded"):
        injected(made, call_of(b"/", headers, "POST", WholeBody(b"client_secret=placeholder")))


def test_a_form_beyond_reason_is_refused() -> None:
    made = scheme(Clock(), algorithm="ES256", field="client_secret")
    with pytest.raises(BodyTooLarge):
        injected(made, call_of(b"/", [FORM], "POST", WholeBody(b"a" * 65_537)))


def test_a_key_that_can_not_sign_is_told_and_nothing_goes_out() -> None:
    with pytest.raises(CredentialMissing, match="file:/key"):
        injected(scheme(Clock(), slot_with("not a key")), call_of())


def test_a_reload_goes_on_with_the_token() -> None:
    clock, slot = Clock(), slot_with(pem(ec_key()))
    old, new = scheme(clock, slot), scheme(clock, slot)
    first = token(old)
    clock.ts += 60
    new.adopt(old)
    assert token(new) == first


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"lifetime": "10m", "renew": "10m"}, "shorter than lifetime"),
        ({"lifetime": "1s"}, "lifetime"),
        ({"public_key_fingerprint": True}, "issuer"),
        ({"field": "client_secret", "prefix": "Bearer"}, "not both"),
        ({"algorithm": "HS256"}, "algorithm"),
        ({"private_key": "-----BEGIN"}, "not a secret reference"),
    ],
)
def test_settings_that_make_no_sense_are_refused(written: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        config(**{"algorithm": "ES256"} | written)


def test_absent_libraries_are_told_when_the_configuration_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.credentials.assertions.find_spec", lambda _: None)
    with pytest.raises(ValidationError, match=r"tidegate\[jwt\]"):
        config(algorithm="ES256")


@settings(max_examples=40, deadline=None)
@given(st.integers(30, 7200), st.lists(st.floats(-5000, 5000), max_size=8), st.floats(0, 1, exclude_max=True))
def test_no_token_is_sent_past_its_end_wherever_the_clock_goes(lives: int, moves: list[float], part: float) -> None:
    clock = Clock()
    clock.ts = TS + part
    made = scheme(clock, algorithm="ES256", lifetime=f"{lives}s")
    for move in (0.0, *moves):
        clock.ts += move
        assert math.floor(clock.ts) < claims(token(made))["exp"]
