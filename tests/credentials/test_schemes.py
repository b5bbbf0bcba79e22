"""What every scheme must do, whatever it sends."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from proxy.core.call import Call, Headers, Reply, WholeBody
from proxy.core.errors import CredentialMissing
from proxy.core.profile import Profile
from proxy.core.runtime import Runtime
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.core.units import Frozen
from proxy.credentials import SCHEMES, CredentialConfig, Scheme
from proxy.sansio.forms import form_values
from tests.support.keys import ec_key, pem
from tests.support.schemes import call_of, injected, on_wire
from tests.support.script import make_reply, make_runtime

OLD, NEW = "sk_test_example_old", "sk_test_example_new"
OLD_BASIC, NEW_BASIC = "YXBpOnNrX3Rlc3RfZXhhbXBsZV9vbGQ=", "YXBpOnNrX3Rlc3RfZXhhbXBsZV9uZXc="
PLACEHOLDER = b"placeholder"
PROFILE = Profile(strip_headers=("X-Other-Key",), strip_query=("_token",))


@dataclass
class Case:
    """One scheme: its settings, and what shows on the wire for the old and the new secret.

    Where a signature depends on all of the request, both show the same start of it.
    call: makes the request in which the scheme has something to do. secrets: the old one and the new one. adds: further
    headers, in which no secret shows. root: what stands before the target on the wire.
    """

    settings: dict[str, Any]
    old: bytes
    new: bytes
    call: Callable[[bytes, Headers], Call] = call_of
    secrets: tuple[str, str] = (OLD, NEW)
    adds: tuple[bytes, ...] = ()
    root: bytes = b""


class Provider(Frozen):
    """A model that holds the section, as the configuration does."""

    credential: CredentialConfig


def posted(target: bytes, headers: Headers) -> Call:
    return call_of(target, headers, "POST", WholeBody(b'{"key":"placeholder"}'))


def hooked(target: bytes, headers: Headers) -> Call:
    return call_of(b"/hooks/placeholder/" + target, headers)


CASES = {
    "all": Case(
        {
            "scheme": "all",
            "of": {
                "key": {"scheme": "header", "name": "X-Api-Key", "value": "env:KEY"},
                "user": {"scheme": "basic", "username": "env:KEY"},
            },
        },
        OLD.encode(),
        NEW.encode(),
        adds=(b"Authorization",),
    ),
    "azure_shared_key": Case(
        {"scheme": "azure_shared_key", "account": "exampleaccount", "key": "env:KEY"},
        b"SharedKey exampleaccount:",
        b"SharedKey exampleaccount:",
        secrets=(OLD_BASIC, NEW_BASIC),
        adds=(b"x-ms-date",),
    ),
    "bearer": Case({"scheme": "bearer", "token": "env:KEY"}, f"Bearer {OLD}".encode(), f"Bearer {NEW}".encode()),
    "basic": Case(
        {"scheme": "basic", "username": "api", "password": "env:KEY"},
        f"Basic {OLD_BASIC}".encode(),
        f"Basic {NEW_BASIC}".encode(),
    ),
    "body": Case({"scheme": "body", "fields": ["key"], "value": "env:KEY"}, OLD.encode(), NEW.encode(), posted),
    "header": Case({"scheme": "header", "name": "X-Api-Key", "value": "env:KEY"}, OLD.encode(), NEW.encode()),
    "hmac": Case(
        {"scheme": "hmac", "secrets": {"key": "env:KEY"}, "message": "{key}", "headers": {"X-Sig": "{signature}"}},
        hashlib.sha256(OLD.encode()).hexdigest().encode(),
        hashlib.sha256(NEW.encode()).hexdigest().encode(),
    ),
    "jwt": Case(
        {"scheme": "jwt", "algorithm": "ES256", "private_key": "env:KEY"},
        b"Bearer eyJ",
        b"Bearer eyJ",
        secrets=(pem(ec_key(1)), pem(ec_key(2))),
    ),
    "oauth2": Case(
        {
            "scheme": "oauth2",
            "grant": "client_credentials",
            "token_url": "https://auth.example.com/token",
            "client_id": "app",
            "client_secret": "env:KEY",
            "client_auth": "body",
        },
        f"Bearer token-of-{OLD}".encode(),
        f"Bearer token-of-{NEW}".encode(),
    ),
    "sigv4": Case(
        {"scheme": "sigv4", "access_key": "env:KEY", "secret_key": "env:KEY", "region": "eu-west-1", "service": "sqs"},
        f"AWS4-HMAC-SHA256 Credential={OLD}/".encode(),
        f"AWS4-HMAC-SHA256 Credential={NEW}/".encode(),
        adds=(b"X-Amz-Date",),
    ),
    "path": Case(
        {"scheme": "path", "template": "/hooks/{secret}", "value": "env:KEY"},
        OLD.encode(),
        NEW.encode(),
        hooked,
        root=f"/hooks/{OLD}/".encode(),
    ),
    "query": Case(
        {"scheme": "query", "name": "api_key", "value": "env:KEY"},
        f"api_key={OLD}".encode(),
        f"api_key={NEW}".encode(),
    ),
}


async def token_endpoint(call: Call) -> Reply:
    """Give a token in which the client secret shows."""
    [secret] = form_values(call.body.whole or b"", b"client_secret")
    return make_reply(200, body=b'{"access_token":"token-of-%b"}' % secret)


def runtime() -> Runtime:
    return replace(make_runtime(profile=PROFILE), endpoint=lambda url, profile: token_endpoint)


@pytest.fixture
def slot() -> SecretSlot:
    slot = SecretSlot(SecretRef("env", "KEY"))
    slot.put(Secret(OLD))
    return slot


Build = Callable[[str], Scheme]


@pytest.fixture
def build(slot: SecretSlot) -> Build:
    def make(name: str) -> Scheme:
        slot.put(Secret(CASES[name].secrets[0]))
        config = Provider.model_validate({"credential": CASES[name].settings}).credential
        return SCHEMES[name](config, lambda _: slot, runtime())

    return make


def sent_by(name: str, scheme: Scheme, target: bytes = b"/v1", headers: Headers | None = None) -> Call:
    return injected(scheme, CASES[name].call(target, [] if headers is None else headers))


def test_every_scheme_of_the_union_can_be_built_and_is_tested_here() -> None:
    configs = get_args(get_args(CredentialConfig)[0])
    assert {config.model_fields["scheme"].annotation.__args__[0] for config in configs} == set(SCHEMES) == set(CASES)


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValidationError):
        Provider.model_validate({"credential": {"scheme": "telepathy", "token": "env:KEY"}})


@pytest.mark.parametrize("name", CASES)
def test_a_literal_secret_is_refused_without_being_repeated(name: str) -> None:
    settings = json.loads(json.dumps(CASES[name].settings).replace("env:KEY", OLD))
    with pytest.raises(ValidationError) as caught:
        Provider.model_validate({"credential": settings})
    assert OLD not in str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_an_unknown_key_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Provider.model_validate({"credential": CASES[name].settings | {"modus": "report"}})


@pytest.mark.parametrize("name", CASES)
def test_the_credential_is_injected_once(name: str, build: Build) -> None:
    sent = on_wire(sent_by(name, build(name), b"/v1/things?a=1", [(b"Accept", b"*/*")]))
    assert sent.count(CASES[name].old) == 1


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "field",
    [
        b"Authorization",
        b"AUTHORIZATION",
        b"aUthOrizAtion",
        b"Proxy-Authorization",
        b"proxy_authorization",
        b"X-Other-Key",
        b"x_other-KEY",
        b"X-Api-Key",
        b"Api-Key",
        b"api_key",
        b"X-Auth-Token",
    ],
)
def test_the_callers_credentials_are_removed_with_all_duplicates(name: str, field: bytes, build: Build) -> None:
    headers = [(field, b"Bearer placeholder"), (b"Accept", b"*/*"), (field.lower(), PLACEHOLDER)]
    sent = sent_by(name, build(name), b"/v1?_token=placeholder&a=1&%5Ftoken=placeholder", headers)
    assert PLACEHOLDER not in on_wire(sent)
    assert (b"Accept", b"*/*") in sent.headers
    assert sent.target.startswith(CASES[name].root + b"/v1?a=1")


@pytest.mark.parametrize("name", CASES)
def test_the_callers_value_in_the_schemes_own_place_is_removed(name: str, build: Build) -> None:
    headers = [(b"x-api-key", PLACEHOLDER), (b"X_API_KEY", PLACEHOLDER)] if name == "header" else []
    target = b"/v1?api_key=placeholder&api%5fkey=placeholder" if name == "query" else b"/v1"
    assert PLACEHOLDER not in on_wire(sent_by(name, build(name), target, headers))


@pytest.mark.parametrize("name", CASES)
def test_every_other_header_keeps_its_order_case_and_duplicates(name: str, build: Build) -> None:
    others = [
        (b"X-First", b"1"),
        (b"x-FIRST", b"2"),
        (b"Authorization-Info", b"kept"),
        (b"X-Bytes", b"\xff\xe9"),
        (b"Cookie", b"a=b"),
        (b"x-first", b"1"),
    ]
    headers = [*others[:3], (b"authorization", PLACEHOLDER), *others[3:]]
    sent = sent_by(name, build(name), b"/v1", headers).headers
    case = CASES[name]
    assert [header for header in sent if case.old not in header[1] and header[0] not in case.adds] == others


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("target", [b"/a%2fb/%zz//c?x=%7E&y=a+b&&z", b"/", b"*", b"/v2/publish/https://a.example/b"])
def test_every_other_byte_of_the_target_stays(name: str, target: bytes, build: Build) -> None:
    sent = sent_by(name, build(name), target).target
    target = CASES[name].root + target
    assert sent.startswith(target)
    assert sent[len(target) + 1 :] in (b"", CASES[name].old)


@pytest.mark.parametrize("name", CASES)
def test_what_is_given_is_not_changed(name: str, build: Build) -> None:
    headers = [(b"Authorization", PLACEHOLDER), (b"Accept", b"*/*")]
    before = list(headers)
    call = CASES[name].call(b"/v1", headers)
    target, body = call.target, call.body.whole
    sent = injected(build(name), call)
    assert (call.headers, call.target, call.body.whole) == (before, target, body)
    assert sent.headers is not headers


@pytest.mark.parametrize("name", CASES)
def test_a_secret_rotates_while_the_scheme_lives(name: str, build: Build, slot: SecretSlot) -> None:
    scheme = build(name)
    first = on_wire(sent_by(name, scheme))
    slot.put(Secret(CASES[name].secrets[1]))
    second = on_wire(sent_by(name, scheme))
    assert first != second
    assert CASES[name].old in first
    assert CASES[name].new in second
    assert CASES[name].old == CASES[name].new or CASES[name].old not in second


@pytest.mark.parametrize("name", CASES)
def test_without_its_secret_a_scheme_sends_nothing_until_it_is_there(name: str) -> None:
    slot = SecretSlot(SecretRef("env", "KEY"))
    config = Provider.model_validate({"credential": CASES[name].settings}).credential
    scheme = SCHEMES[name](config, lambda _: slot, runtime())
    for _ in range(2):
        with pytest.raises(CredentialMissing, match="env:KEY"):
            sent_by(name, scheme)
    slot.put(Secret(CASES[name].secrets[0]))
    assert CASES[name].old in on_wire(sent_by(name, scheme))


@pytest.mark.parametrize("name", CASES)
def test_a_scheme_tells_which_secrets_it_uses(name: str, build: Build, slot: SecretSlot) -> None:
    slots = build(name).slots
    assert slots
    assert all(used is slot for used in slots)
