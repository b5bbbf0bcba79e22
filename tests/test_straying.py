"""To whom a secret may go that was written beneath an address."""

import pytest

from proxy.edge.documents import parse_document
from proxy.overlay import Overlay
from proxy.presets import Presets

ACME = """\
providers:
  acme:
    base_url: https://api.acme.example.com
    credential: {scheme: oauth2, grant: client_credentials, token_url: "https://auth.example.org/t",
                 client_id: app, client_secret: env:OWN}
    accounts: {eu: %s}
"""
STRANGER = "https://stranger.example"


def wrong(text: str) -> list[tuple[str, str]]:
    overlay = Overlay(parse_document(text.encode(), "t.yaml"), Presets())
    return [(".".join(map(str, where)), problem) for where, problem in overlay.wrong]


def entry(text: str) -> list[tuple[str, str]]:
    return wrong(f"providers: {{{text}}}")


@pytest.mark.parametrize(
    ("text", "key", "secret"),
    [
        (f"stripe: {{base_url: '{STRANGER}'}}", "stripe.base_url", "token"),
        (f"stripe: {{base_url: '{STRANGER}', credential: {{mode: report}}}}", "stripe.base_url", "token"),
        (f"shopify: {{base_url: '{STRANGER}'}}", "shopify.base_url", "value"),
        (f"stripe: {{profile: {{hosts: {{x: '{STRANGER}'}}}}, host: x}}", "stripe.host", "token"),
        (f"paypal: {{credential: {{token_url: '{STRANGER}/t'}}}}", "paypal.credential.token_url", "client_id"),
        (f"paypal: {{credential: {{token_url: '{STRANGER}//t?a=b'}}}}", "paypal.credential.token_url", "client_id"),
        (
            f"paypal: {{credential: {{token_url: '{STRANGER}/t', client_id: mine}}}}",
            "paypal.credential.token_url",
            "client_secret",
        ),
    ],
)
def test_a_presets_secret_goes_to_no_stranger(text: str, key: str, secret: str) -> None:
    said = "another host than the preset's, which would get the preset's secret; "
    todo = f"write credential.{secret} beside it, or credential: off"
    assert entry(text) == [(f"providers.{key}", said + todo)]


@pytest.mark.parametrize(
    "text",
    [
        f"stripe: {{base_url: '{STRANGER}', credential: {{token: env:MINE}}}}",
        f"stripe: {{base_url: '{STRANGER}', credential: {{token: [env:MINE, env:FORMER]}}}}",
        f"stripe: {{base_url: '{STRANGER}', credential: off}}",
        f"stripe: {{base_url: '{STRANGER}', credential: {{scheme: query, name: key, value: env:MINE}}}}",
        f"paypal: {{base_url: '{STRANGER}', credential: {{client_id: env:ID, client_secret: env:MINE}}}}",
        "paypal: {host: sandbox}",
        "paypal: {credential: {token_url: 'https://api-m.sandbox.paypal.com/v1/oauth2/token'}}",
    ],
)
def test_a_secret_of_ones_own_goes_where_one_wants_and_a_presets_to_its_own_hosts(text: str) -> None:
    assert entry(text) == []


def test_an_account_that_builds_on_the_preset_does_not_take_its_secret_to_the_providers_own_host() -> None:
    accounts = "accounts: {eu: {credential: {mode: report}}}"
    told = entry(f"stripe: {{base_url: '{STRANGER}', credential: off, {accounts}}}")
    assert [key for key, _ in told] == ["providers.stripe.accounts.eu.base_url"]


@pytest.mark.parametrize(
    ("account", "key"),
    [
        (f"{{base_url: '{STRANGER}'}}", "base_url"),
        (f"{{base_url: '{STRANGER}', credential: {{scope: s}}}}", "base_url"),
        (f"{{credential: {{token_url: '{STRANGER}/t'}}}}", "credential.token_url"),
        (f"{{credential: {{token_url: '{STRANGER}/t', client_secret: env:EU}}}}", None),
        ("{credential: {token_url: 'https://eu.example.org/t'}}", None),
        ("{base_url: 'https://eu.acme.example.com'}", None),
    ],
)
def test_the_providers_secret_follows_an_account_to_no_stranger(account: str, key: str | None) -> None:
    keys = [where for where, _ in wrong(ACME % account)]
    assert keys == ([] if key is None else [f"providers.acme.accounts.eu.{key}"])
