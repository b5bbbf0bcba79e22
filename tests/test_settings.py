"""The models: values are parsed once, and what could do harm is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from proxy.core.units import Listen
from proxy.sections import RequiredHeader, parse_required_header
from proxy.settings import Provider, Settings
from proxy.stack import PER_CALL, PER_UPSTREAM


def provider(**keys: Any) -> Provider:
    return Provider.model_validate({"base_url": "https://api.example.com", **keys})


def test_an_empty_file_means_the_documented_defaults() -> None:
    settings = Settings()
    assert (settings.egress.listen, settings.admin.listen) == (Listen("127.0.0.1", 4780), Listen("127.0.0.1", 4781))
    assert (settings.egress.allow_remote, settings.egress.require_header, settings.egress.hosts) == (False, None, ())
    assert (settings.egress.max_connections, settings.egress.replay_limit) == (1000, 65536)
    egress = settings.egress
    assert (egress.header_timeout, egress.idle_timeout, egress.body_timeout) == (10.0, 75.0, 30.0)
    assert (settings.log.format, settings.log.level, settings.log.file) == ("json", "info", None)
    assert (settings.drain_timeout, settings.drain_delay, settings.providers) == (25.0, 0.0, {})


def test_a_provider_has_a_section_for_each_policy_of_the_stack() -> None:
    built = provider()
    for policy in PER_CALL + PER_UPSTREAM:
        if policy.section != "credential":
            assert built.section(policy.section) == policy.Config()
    assert built.section("credential") is False


@pytest.mark.parametrize("section", [policy.section for policy in PER_CALL + PER_UPSTREAM])
def test_any_section_can_be_off(section: str) -> None:
    assert provider(**{section: False}).section(section) is False


def test_a_required_header_has_a_name_and_perhaps_a_value() -> None:
    assert parse_required_header("X-Tidegate") == RequiredHeader("x-tidegate")
    assert parse_required_header("X-Tidegate: yes: no") == RequiredHeader("x-tidegate", "yes: no")


@pytest.mark.parametrize("text", ["", ": x", "X y", "X:", "X: ", "X: a\nb", "ö", 3])
def test_what_is_no_header_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="not a header"):
        parse_required_header(text)


@pytest.mark.parametrize("name", ["stripe", "a", "0", "eu-1", "x" * 63])
def test_a_provider_name_is_a_host_label(name: str) -> None:
    assert list(Settings.model_validate({"providers": {name: {"base_url": "https://x"}}}).providers) == [name]


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a.b", "x" * 64, "tidegate", "ä", "a\n", "a/b"])
def test_any_other_provider_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="not a provider name"):
        Settings.model_validate({"providers": {name: {"base_url": "https://x"}}})


@pytest.mark.parametrize(
    "egress",
    [
        {"hosts": ["http://x"]},
        {"hosts": ["x:80"]},
        {"max_connections": 0},
        {"header_timeout": "0s"},
        {"replay_limit": 65536},
        {"listen": "4780"},
        {"foo": 1},
    ],
)
def test_a_listener_that_could_not_work_is_refused(egress: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"egress": egress})


def test_settings_can_not_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(provider(), "preset", "x")  # noqa: B010  # mypy sees a plain assignment through


BEARER = {"scheme": "bearer", "token": "env:OWN"}
EU = {"base_url": "https://eu.example.com", "credential": {"scheme": "bearer", "token": ["env:NEW", "env:OWN"]}}


def test_an_account_has_the_sections_of_one_upstream_and_no_others() -> None:
    (account,) = provider(accounts={"eu": EU}).accounts.values()
    for policy in PER_UPSTREAM:
        assert account.section(policy.section) is not None
    for key in ("deadline", "bulkhead", "listen", "preset", "profile", "accounts"):
        with pytest.raises(ValidationError, match="Extra inputs"):
            provider(accounts={"eu": {**EU, key: {}}})


@pytest.mark.parametrize("name", ["eu", "EU_1", "tenant-7.b", "0", "x" * 63])
def test_an_account_name_is_a_word(name: str) -> None:
    assert list(provider(accounts={name: EU}).accounts) == [name]


@pytest.mark.parametrize("name", ["", "-a", "a b", "a,b", "ä", "x" * 64, "a\n", "a/b"])
def test_any_other_account_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="not an account name"):
        provider(accounts={name: EU})


def test_the_accounts_of_a_provider_are_bounded() -> None:
    with pytest.raises(ValidationError, match="at most 256"):
        provider(accounts={f"a{number}": EU for number in range(257)})


def test_the_legs_are_the_providers_own_and_its_accounts() -> None:
    with_own = provider(credential=BEARER, accounts={"eu": EU})
    assert [path for path, _ in with_own.legs()] == [(), ("accounts", "eu")]
    assert not with_own.needs_account
    without = provider(accounts={"eu": EU})
    assert [path for path, _ in without.legs()] == [("accounts", "eu")]
    assert without.needs_account
    assert not provider().needs_account


def test_every_secret_is_listed_with_its_key_and_an_inherited_one_once() -> None:
    entry = {
        "base_url": "https://x.example",
        "credential": BEARER,
        "tls": {"ca": "file:/ca"},
        "accounts": {"eu": {**EU, "tls": {"ca": "file:/ca"}}},
    }
    settings = Settings.model_validate({"providers": {"acme": entry}})
    assert [(".".join(map(str, where)), str(ref)) for where, ref in settings.secret_refs()] == [
        ("providers.acme.credential.token", "env:OWN"),
        ("providers.acme.tls.ca", "file:/ca"),
        ("providers.acme.accounts.eu.credential.token", "env:NEW"),
    ]


def test_commands_are_off_unless_they_are_allowed() -> None:
    reading = Settings().secrets
    assert (reading.exec, reading.exec_timeout, reading.exec_ttl) == (False, 10.0, 300.0)


def test_tidegates_own_secrets_are_listed_apart() -> None:
    acme = {"base_url": "https://a.example", "credential": {"scheme": "bearer", "token": "env:ACME"}}
    settings = Settings.model_validate({
        "admin": {"token": ["env:NEW", "env:OLD"]},
        "audit": {"file": "/var/log/audit", "key": "env:KEY"},
        "providers": {"acme": acme},
    })  # fmt: skip
    own = [(where, str(ref)) for where, ref in settings.own_refs()]
    assert own == [(("admin", "token"), "env:NEW"), (("admin", "token"), "env:OLD"), (("audit", "key"), "env:KEY")]
    assert [str(ref) for _, ref in settings.secret_refs()] == ["env:NEW", "env:OLD", "env:KEY", "env:ACME"]
