from typing import Any

import pytest
from pydantic import ValidationError

from proxy.credentials.grant_config import OAuth2Config

URL = "https://auth.example.com/token"
CLIENT = {"grant": "client_credentials", "token_url": URL, "client_id": "app", "client_secret": "env:KEY"}
BY_KEY = {
    "grant": "client_credentials", "token_url": URL, "client_id": "app", "client_auth": "private_key_jwt",
    "private_key": "file:/key",
}  # fmt: skip
REFRESH = {"grant": "refresh_token", "token_url": URL, "client_id": "app", "refresh_token": "env:KEY"}
BEARER = {"grant": "jwt_bearer", "token_url": URL, "private_key": "file:/key", "issuer": "app"}
GOOGLE = {"grant": "google_service_account", "service_account": "file:/key", "scope": "a b"}
GITHUB = {"grant": "github_app", "app_id": 1, "installation_id": 2, "private_key": "file:/key"}
ALL: list[dict[str, Any]] = [CLIENT, BY_KEY, REFRESH, BEARER, GOOGLE, GITHUB]


def config(settings: dict[str, Any]) -> OAuth2Config:
    return OAuth2Config.model_validate({"scheme": "oauth2", **settings})


@pytest.mark.parametrize("settings", ALL, ids=lambda settings: settings["grant"])
def test_each_grant_takes_what_it_needs(settings: dict[str, Any]) -> None:
    assert config(settings).grant == settings["grant"]


@pytest.mark.parametrize(
    ("settings", "key"),
    [(settings, key) for settings in ALL for key in settings if key not in {"grant", "client_auth"}],
)
def test_what_a_grant_needs_and_does_not_have_is_named(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        config({name: value for name, value in settings.items() if name != key})


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        (CLIENT, "issuer", "me"),
        (CLIENT, "persist", "/var/token"),
        (BEARER, "refresh_token", "env:KEY"),
        (GOOGLE, "client_id", "app"),
        (GOOGLE, "audience", "x"),
        (GITHUB, "scope", "repo"),
    ],
)
def test_what_a_grant_has_no_use_for_is_refused(settings: dict[str, Any], key: str, value: str) -> None:
    with pytest.raises(ValidationError, match=f"no use for {key}"):
        config({**settings, key: value})


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (CLIENT | {"private_key": "file:/key"}, "private_key_jwt"),
        (BY_KEY | {"client_secret": "env:KEY"}, "remove one"),
        (BEARER | {"client_secret": "env:KEY"}, "client_id"),
        (BEARER | {"client_auth": "private_key_jwt"}, "another grant"),
        (REFRESH | {"client_auth": "private_key_jwt"}, "private_key"),
        (REFRESH | {"persist": "/var/token", "refresh_token": ["env:A", "env:B"]}, "one refresh_token"),
        (REFRESH | {"persist": "token"}, "absolute path"),
        (CLIENT | {"lifetime": "0s"}, "greater than 0"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        config(settings)


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8080/t?x=1", "http://localhost/t", "http://[::1]/t"])
def test_an_endpoint_is_reached_over_tls_or_on_this_machine(url: str) -> None:
    assert config(CLIENT | {"token_url": url}).url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://auth.example.com/t", "auth.example.com/t", "https:///t", "ftp://auth.example.com", "https://a.example/#f",
        "https://me:pw@a.example/t", "https://a.example/a b", "https://a.example/\r\nX: 1", "https://ä.example/",
    ],
)  # fmt: skip
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="https://"):
        config(CLIENT | {"token_url": url})


@pytest.mark.parametrize(
    ("settings", "url"), [(GOOGLE, "https://oauth2.googleapis.com/token"), (GITHUB, "https://api.github.com")]
)
def test_google_and_github_have_an_endpoint_of_their_own_unless_another_is_written(
    settings: dict[str, Any], url: str
) -> None:
    assert config(settings).url == url
    assert config(settings | {"token_url": URL}).url == URL


def test_absent_libraries_are_told_only_where_something_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.credentials.assertions.find_spec", lambda _: None)
    config(CLIENT)
    with pytest.raises(ValidationError, match=r"tidegate\[jwt\]"):
        config(GITHUB)
