"""What every scheme must do, whatever it sends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import pytest
from pydantic import ValidationError

from proxy.core.call import Headers
from proxy.core.errors import CredentialMissing
from proxy.core.profile import Profile
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.core.units import Frozen
from proxy.credentials import SCHEMES, CredentialConfig, Scheme

OLD, NEW = "sk_test_example_old", "sk_test_example_new"
OLD_BASIC, NEW_BASIC = "YXBpOnNrX3Rlc3RfZXhhbXBsZV9vbGQ=", "YXBpOnNrX3Rlc3RfZXhhbXBsZV9uZXc="
PLACEHOLDER = b"placeholder"
PROFILE = Profile(strip_headers=("X-Other-Key",), strip_query=("_token",))


@dataclass
class Case:
    """One scheme: its settings, and what shows on the wire for the old and the new secret."""

    settings: dict[str, str]
    old: bytes
    new: bytes


class Provider(Frozen):
    """A model that holds the section, as the configuration does."""

    credential: CredentialConfig


CASES = {
    "bearer": Case({"scheme": "bearer", "token": "env:KEY"}, f"Bearer {OLD}".encode(), f"Bearer {NEW}".encode()),
    "basic": Case(
        {"scheme": "basic", "username": "api", "password": "env:KEY"},
        f"Basic {OLD_BASIC}".encode(),
        f"Basic {NEW_BASIC}".encode(),
    ),
    "header": Case({"scheme": "header", "name": "X-Api-Key", "value": "env:KEY"}, OLD.encode(), NEW.encode()),
    "query": Case(
        {"scheme": "query", "name": "api_key", "value": "env:KEY"},
        f"api_key={OLD}".encode(),
        f"api_key={NEW}".encode(),
    ),
}


@pytest.fixture
def slot() -> SecretSlot:
    slot = SecretSlot(SecretRef("env", "KEY"))
    slot.put(Secret(OLD))
    return slot


Build = Callable[[str], Scheme]


@pytest.fixture
def build(slot: SecretSlot) -> Build:
    def make(name: str) -> Scheme:
        config = Provider.model_validate({"credential": CASES[name].settings}).credential
        return SCHEMES[name](config, lambda _: slot, PROFILE)

    return make


def wire(target: bytes, headers: Headers) -> bytes:
    return target + b"\n" + b"\n".join(name + b": " + value for name, value in headers)


def test_every_scheme_of_the_union_can_be_built_and_is_tested_here() -> None:
    configs = get_args(get_args(CredentialConfig)[0])
    assert {config.model_fields["scheme"].annotation.__args__[0] for config in configs} == set(SCHEMES) == set(CASES)


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValidationError):
        Provider.model_validate({"credential": {"scheme": "telepathy", "token": "env:KEY"}})


@pytest.mark.parametrize("name", CASES)
def test_a_literal_secret_is_refused_without_being_repeated(name: str) -> None:
    settings = {key: OLD if value == "env:KEY" else value for key, value in CASES[name].settings.items()}
    with pytest.raises(ValidationError) as caught:
        Provider.model_validate({"credential": settings})
    assert OLD not in str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_an_unknown_key_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Provider.model_validate({"credential": CASES[name].settings | {"mode": "report"}})


@pytest.mark.parametrize("name", CASES)
def test_the_credential_is_injected_once(name: str, build: Build) -> None:
    sent = wire(*build(name).apply(b"/v1/things?a=1", [(b"Accept", b"*/*")]))
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
    target, sent = build(name).apply(b"/v1?_token=placeholder&a=1&%5Ftoken=placeholder", headers)
    assert PLACEHOLDER not in wire(target, sent)
    assert (b"Accept", b"*/*") in sent
    assert target.startswith(b"/v1?a=1")


@pytest.mark.parametrize("name", CASES)
def test_the_callers_value_in_the_schemes_own_place_is_removed(name: str, build: Build) -> None:
    headers = [(b"x-api-key", PLACEHOLDER), (b"X_API_KEY", PLACEHOLDER)] if name == "header" else []
    target = b"/v1?api_key=placeholder&api%5fkey=placeholder" if name == "query" else b"/v1"
    assert PLACEHOLDER not in wire(*build(name).apply(target, headers))


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
    _, sent = build(name).apply(b"/v1", headers)
    assert [header for header in sent if CASES[name].old not in header[1]] == others


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("target", [b"/a%2fb/%zz//c?x=%7E&y=a+b&&z", b"/", b"*", b"/v2/publish/https://a.example/b"])
def test_every_other_byte_of_the_target_stays(name: str, target: bytes, build: Build) -> None:
    sent, _ = build(name).apply(target, [])
    assert sent.startswith(target)
    assert sent[len(target) + 1 :] in (b"", CASES[name].old)


@pytest.mark.parametrize("name", CASES)
def test_what_is_given_is_not_changed(name: str, build: Build) -> None:
    headers = [(b"Authorization", PLACEHOLDER), (b"Accept", b"*/*")]
    before = list(headers)
    _, sent = build(name).apply(b"/v1", headers)
    assert headers == before
    assert sent is not headers


@pytest.mark.parametrize("name", CASES)
def test_a_secret_rotates_while_the_scheme_lives(name: str, build: Build, slot: SecretSlot) -> None:
    scheme = build(name)
    first = wire(*scheme.apply(b"/v1", []))
    slot.put(Secret(NEW))
    second = wire(*scheme.apply(b"/v1", []))
    assert CASES[name].old in first
    assert CASES[name].new in second
    assert CASES[name].old not in second


@pytest.mark.parametrize("name", CASES)
def test_without_its_secret_a_scheme_sends_nothing_until_it_is_there(name: str) -> None:
    slot = SecretSlot(SecretRef("env", "KEY"))
    config = Provider.model_validate({"credential": CASES[name].settings}).credential
    scheme = SCHEMES[name](config, lambda _: slot, PROFILE)
    for _ in range(2):
        with pytest.raises(CredentialMissing, match="env:KEY"):
            scheme.apply(b"/v1", [])
    slot.put(Secret(OLD))
    assert CASES[name].old in wire(*scheme.apply(b"/v1", []))


@pytest.mark.parametrize("name", CASES)
def test_a_scheme_tells_which_secrets_it_uses(name: str, build: Build, slot: SecretSlot) -> None:
    assert build(name).slots() == (slot,)
