"""The models: values are parsed once, and what could do harm is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from proxy.core.units import Listen
from proxy.settings import (
    BaseUrl,
    Provider,
    RequiredHeader,
    Settings,
    parse_base_url,
    parse_required_header,
)
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


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.stripe.com", BaseUrl("https", "api.stripe.com", 443)),
        ("https://API.Example.COM/", BaseUrl("https", "api.example.com", 443)),
        ("https://api.example.com:8443/v1/x/", BaseUrl("https", "api.example.com", 8443, "/v1/x")),
        ("http://127.0.0.1:9090/a%20b", BaseUrl("http", "127.0.0.1", 9090, "/a%20b")),
        ("http://localhost", BaseUrl("http", "localhost", 80)),
        ("https://[2001:DB8::1]:1/x", BaseUrl("https", "2001:db8::1", 1, "/x")),
        ("builtin:mock", BaseUrl("builtin", "mock", 0)),
    ],
)
def test_a_base_url_is_scheme_host_port_and_prefix(text: str, url: BaseUrl) -> None:
    assert parse_base_url(text) == url
    assert parse_base_url(str(url)) == url


@pytest.mark.parametrize(
    "text",
    [
        "", "api.example.com", "ftp://x", "https:", "https://", "https:///x", "https:x", "//x", "HTTPS//x",
        "https://user@x", "https://user:sk_test_example@x", "https://x?key=sk_test_example", "https://x#f", "https://x?",
        "https://x:0", "https://x:65536", "https://x:abc", "https://x:-1", "https://[::1", "https://[::g]",
        "https://[fe80::1%25eth0]", "https://a b", "https://x/\n", "https://x/a/../b", "https://x//y", "https://-x",
        "https://x_.y..z", "https://exämple.com", "https://" + "a." * 130 + "com", "builtin:other", 4, None, ["https://x"],
    ],
)  # fmt: skip
def test_what_is_no_base_url_is_refused_without_repeating_it(text: object) -> None:
    with pytest.raises(ValueError, match=r"not a base URL|holds a") as caught:
        parse_base_url(text)
    assert "sk_test_example" not in str(caught.value)


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
