"""Which address an entry means."""

from typing import Any

import pytest

from proxy.locating import Locating, needed

SHOP: dict[str, Any] = {"base_url": "https://{shop}.myshop.example", "credential": {"scheme": "x", "token": "env:T"}}
REGIONS: dict[str, Any] = {
    "base_url": "https://api.example.com",
    "profile": {"hosts": {"eu": "https://api.eu.example.com", "account": "https://{account_id}.example.com"}},
}


def located(*levels: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Lay the levels over one another, flatly, and locate them."""
    merged: dict[str, Any] = {}
    for level in reversed(levels):
        merged.update(level)
    locating = Locating(levels, merged)
    entry = locating.located()
    return entry, [(".".join(map(str, where)), text) for where, text in locating.wrong]


@pytest.mark.parametrize(
    ("entry", "preset", "url"),
    [
        ({}, REGIONS, "https://api.example.com"),
        ({"host": "eu"}, REGIONS, "https://api.eu.example.com"),
        ({"host": "account", "vars": {"account_id": 7}}, REGIONS, "https://7.example.com"),
        ({"base_url": "https://mine.example"}, {**REGIONS, "host": "eu"}, "https://mine.example"),
        ({}, {**REGIONS, "host": "eu"}, "https://api.eu.example.com"),
        ({"vars": {"shop": "acme"}}, SHOP, "https://acme.myshop.example"),
        ({"vars": {"shop": "acme.eu-central-1"}}, SHOP, "https://acme.eu-central-1.myshop.example"),
    ],
)
def test_the_topmost_level_that_names_an_address_decides(
    entry: dict[str, Any], preset: dict[str, Any], url: str
) -> None:
    found, wrong = located(entry, preset)
    assert (found["base_url"], wrong) == (url, [])


def test_braces_in_a_credential_are_filled_where_an_address_stands() -> None:
    credential = {"scheme": "oauth2", "token_url": "https://{shop}.example/token", "message": "{shop}"}
    parts = {"scheme": "all", "of": {"one": credential}}
    entry, wrong = located({"vars": {"shop": "acme"}}, {**SHOP, "credential": parts})
    assert entry["credential"]["of"]["one"] == {**credential, "token_url": "https://acme.example/token"}
    assert wrong == []
    assert parts["of"] == {"one": credential}, "the preset itself is left as it is"


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ({}, "https://api.example.com/oauth/token"),
        ({"host": "eu"}, "https://api.eu.example.com/oauth/token"),
        ({"base_url": "https://mine.example/v1/"}, "https://mine.example/v1/oauth/token"),
    ],
)
def test_a_token_endpoint_beside_the_api_moves_with_it(entry: dict[str, Any], url: str) -> None:
    preset = {**REGIONS, "credential": {"scheme": "oauth2", "token_url": "/oauth/token"}}
    found, wrong = located(entry, preset)
    assert (found["credential"]["token_url"], wrong) == (url, [])


def test_the_region_of_a_signature_is_that_of_the_host() -> None:
    preset = {"base_url": "https://s3.{region}.example", "credential": {"scheme": "sigv4", "region": "{region}"}}
    entry, wrong = located({"vars": {"region": "eu-west-1"}}, preset)
    assert (entry["base_url"], entry["credential"]["region"]) == ("https://s3.eu-west-1.example", "eu-west-1")
    assert wrong == []


@pytest.mark.parametrize("name", ["region", "account"])
def test_a_word_that_is_missing_is_told_once_and_leaves_a_word_in_its_place(name: str) -> None:
    preset = {"base_url": f"https://{{{name}}}.example", "credential": {name: f"{{{name}}}"}}
    entry, wrong = located({}, preset)
    assert entry["credential"][name] == "unresolved"
    assert wrong == [("vars", f"lacks {name}, which the address needs; write vars: {{{name}: ...}}")]


@pytest.mark.parametrize(
    ("entry", "preset", "where", "text"),
    [
        ({}, SHOP, "vars", "lacks shop, which the address needs; write vars: {shop: ...}"),
        ({"vars": {"shop": "a."}}, SHOP, "vars.shop",
         "write letters, digits, - and _, such as acme; single dots may stand between"),
        ({"vars": {"shop": "evil.example"}}, {"base_url": "https://{shop}.com"}, "vars.shop",
         "may have no dot here, where it would lead to another domain"),
        ({"vars": {"shop": "a", "shpo": "b"}}, SHOP, "vars.shpo", "stands in no address here; it takes shop"),
        ({"vars": {"a": "b"}}, {"base_url": "https://x"}, "vars.a",
         "stands in no address here; no address of this provider has braces"),
        ({"host": "acount"}, REGIONS, "host", "no host of that name; did you mean account?"),
        ({"host": "mars"}, REGIONS, "host", "no host of that name; write one of eu, account"),
        ({"host": "eu"}, SHOP, "host", "this provider has no named hosts; write base_url"),
        ({"host": "eu", "base_url": "https://x"}, REGIONS, "host",
         "stands beside base_url, which says another address; write one of them"),
    ],
)  # fmt: skip
def test_what_can_not_be_located_names_what_is_there(
    entry: dict[str, Any], preset: dict[str, Any], where: str, text: str
) -> None:
    assert located(entry, preset)[1] == [(where, text)]


def test_the_addresses_that_a_level_knows_are_its_own_and_its_hosts() -> None:
    locating = Locating([{"base_url": "https://mine.example"}, REGIONS], {**REGIONS, "vars": {}})
    locating.located()
    known = ["https://api.example.com", "https://api.eu.example.com", "https://any.example.com"]
    assert list(locating.known_from(1)) == known


def test_the_token_endpoint_that_a_level_names_is_known_to_it() -> None:
    credential = {"scheme": "all", "of": {"one": {"scheme": "oauth2", "token_url": "https://auth.example/token"}}}
    locating = Locating([{}, {"credential": credential}], {"credential": credential})
    locating.located()
    assert list(locating.known_from(1)) == ["https://auth.example/token"]


@pytest.mark.parametrize("odd", [None, 3, ["x"], {"a": 1}])
def test_odd_values_are_left_to_the_models(odd: Any) -> None:
    assert located({"base_url": odd}, {})[1] == []
    assert located({"vars": odd, "profile": odd, "credential": odd, "base_url": "https://x"}, {})[1] in (
        [], [("vars.a", "stands in no address here; no address of this provider has braces")],
    )  # fmt: skip


def test_what_an_entry_needs_is_what_address_and_credential_hold_in_braces() -> None:
    credential = {"scheme": "oauth2", "token_url": "https://{tenant}.example/token", "scope": "{scope}"}
    entry = {"base_url": "https://{shop}.{region}.example", "credential": credential, "vars": {"region": "eu"}}
    assert needed(entry) == ("shop", "tenant")
    assert needed({"base_url": "https://x.example", "credential": False}) == ()
