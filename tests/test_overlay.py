"""Entries over presets, accounts over entries, and where each value was written."""

from typing import Any

import pytest

from proxy.edge.documents import parse_document
from proxy.overlay import Overlay, merge
from proxy.presets import Presets


def laid(text: str) -> Overlay:
    return Overlay(parse_document(text.encode(), "t.yaml"), Presets())


def account(overlay: Overlay, name: str = "eu", provider: str = "acme") -> dict[str, Any]:
    entry: dict[str, Any] = overlay.tree["providers"][provider]["accounts"][name]
    return entry


BASE = """\
providers:
  acme:
    base_url: https://api.example.com
    credential: {scheme: bearer, token: env:OWN}
    retry: {attempts: 5, base: 1s}
    listen: 127.0.0.1:4801
    deadline: {total: 9s}
    accounts:
"""


def test_an_account_has_the_keys_of_its_provider_that_a_leg_can_use() -> None:
    eu = account(laid(BASE + "      eu: {credential: {token: env:EU}, retry: {attempts: 2}}\n"))
    assert eu == {
        "base_url": "https://api.example.com",
        "credential": {"scheme": "bearer", "token": "env:EU"},
        "retry": {"attempts": 2, "base": "1s"},
    }


def test_each_value_of_an_account_knows_where_it_was_written() -> None:
    overlay = laid(BASE + "      eu:\n        retry: {attempts: 2}\n")
    at = ("providers", "acme", "accounts", "eu")
    lines = {
        key: overlay.origins[(*at, *key)].line for key in [("retry", "attempts"), ("retry", "base"), ("base_url",)]
    }
    assert lines == {("retry", "attempts"): 10, ("retry", "base"): 5, ("base_url",): 3}


def test_a_section_can_be_off_for_one_account_and_a_scheme_another() -> None:
    eu = account(laid(BASE + "      eu: {retry: off, credential: {scheme: query, name: key, value: env:K}}\n"))
    assert eu["retry"] is False
    assert eu["credential"] == {"scheme": "query", "name": "key", "value": "env:K"}


def test_an_account_without_keys_is_an_entry_all_the_same() -> None:
    assert account(laid(BASE + "      eu:\n"))["credential"] == {"scheme": "bearer", "token": "env:OWN"}


def test_where_the_own_credential_is_off_an_account_builds_on_the_presets() -> None:
    overlay = laid("providers: {stripe: {credential: off, accounts: {eu: {credential: {token: env:EU}}, us: {}}}}")
    assert account(overlay, "eu", "stripe")["credential"] == {"scheme": "bearer", "token": "env:EU"}
    assert account(overlay, "us", "stripe")["credential"] is False


def test_accounts_have_hosts_and_vars_of_their_own() -> None:
    overlay = laid(
        "providers:\n  acme:\n    base_url: 'https://{shop}.example.com'\n    vars: {shop: own}\n"
        "    profile: {hosts: {eu: 'https://{shop}.eu.example.com'}}\n"
        "    accounts: {a: {vars: {shop: a}}, b: {host: eu}, c: {base_url: 'https://c.example.com'}}\n"
    )
    assert overlay.wrong == []
    urls = [account(overlay, name)["base_url"] for name in "abc"]
    assert urls == ["https://a.example.com", "https://own.eu.example.com", "https://c.example.com"]


def test_an_address_that_only_the_accounts_can_fill_is_enough_without_an_own_credential() -> None:
    text = "providers: {acme: {base_url: 'https://{shop}.example.com', %s accounts: {a: {vars: {shop: a}}}}}"
    assert laid(text % "credential: off,").wrong == []
    ((where, problem),) = laid(text % "").wrong
    assert (where, problem[:10]) == (("providers", "acme", "vars"), "lacks shop")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (
            "{base_url: 'https://other.example'}",
            "another host than the provider's, which would get the provider's secret",
        ),
        ("{base_url: 'https://eu.example.com'}", ""),
        ("{base_url: 'https://other.example', credential: {token: env:EU}}", ""),
        ("{base_url: 'https://other.example', credential: off}", ""),
        ("{vars: {x: y}}", "stands in no address here"),
    ],
)
def test_the_providers_secret_follows_an_account_to_no_other_host(written: str, text: str) -> None:
    wrong = [problem for _, problem in laid(BASE + f"      eu: {written}\n").wrong]
    assert [problem.startswith(text) for problem in wrong] == ([True] if text else [])


def test_a_presets_secret_may_go_to_all_of_its_hosts_and_to_no_other() -> None:
    for url, fine in (("https://api.eu.sendgrid.com", True), ("https://sendgrid.example", False)):
        overlay = laid(f"providers: {{sendgrid: {{base_url: '{url}', accounts: {{eu: {{}}}}}}}}")
        told = [where for where, _ in overlay.wrong if "accounts" not in where]
        assert told == ([] if fine else [("providers", "sendgrid", "base_url")])


def test_mappings_are_merged_and_all_else_replaces() -> None:
    below = {"a": {"x": 1, "y": {"z": 2}}, "b": [1], "c": 3, "d": {"scheme": "s", "k": 1}}
    above = {"a": {"y": {"z": 5}}, "b": [2], "d": {"scheme": "t"}}
    merged, replaced = merge(below, above)
    assert merged == {"a": {"x": 1, "y": {"z": 5}}, "b": [2], "c": 3, "d": {"scheme": "t"}}
    assert replaced == [("a", "y", "z"), ("b",), ("d",)]


def test_the_files_own_mappings_are_left_as_they_are() -> None:
    document = parse_document((BASE + "      eu: {retry: off}\n").encode(), "t.yaml")
    Overlay(document, Presets())
    assert document.data["providers"]["acme"]["accounts"] == {"eu": {"retry": False}}
