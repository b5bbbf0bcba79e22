import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.profile import Profile
from proxy.sansio.masking import PathMask, mask_path


@pytest.mark.parametrize(
    "path",
    [
        "/v1/charges",
        "/v1beta/models",
        "/V2.1/things",
        "/2010-04-01/Accounts/Messages.json",
        "/api/chat.postMessage",
        "/v1/getUsersByIdList",
        "/v1/payment_intents",
        "/v1/chat/completions",
        "/SMS/internationalization",
        "/a//b/",
        "/",
        "",
    ],
)
def test_versions_and_plain_words_are_shown(path: str) -> None:
    assert mask_path(path) == path


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/charges/ch_3MmlLrLkdIwHu7ix0snN0B15", "/v1/charges/*"),
        ("/2010-04-01/Accounts/AC" + "0" * 32 + "/Calls", "/2010-04-01/Accounts/*/Calls"),
        ("/services/T0000/B0000/" + "X" * 24, "/services/*/*/*"),
        ("/hooks/aBcDeFgHiJkLmNoPqRsT", "/hooks/*"),
        ("/hooks/qWRTPsdfGHjklZXCvbnm", "/hooks/*"),
        ("/hooks/qwrtpsdfghjklzxcvbnm", "/hooks/*"),
        ("/users/zoe@example.com/42", "/users/*/*"),
        ("/v2/publish/https://a.example", "/v2/publish/*//a.example"),
        ("/a/%2e%2e/../.", "/a/*/*/*"),
        ("/" + "a" * 33 + "/" + "b" * 21, "/*/*"),
        ("/v12345/2026-1-1", "/*/*"),
        ("/a\r\nb/c\x1b[31m/\u2028/é", "/*/*/*/*"),
        ("/things#x", "/*"),
    ],
)
def test_what_may_be_an_id_or_a_key_is_masked(path: str, shown: str) -> None:
    assert mask_path(path) == shown


def test_without_an_allow_list_the_query_is_left_out() -> None:
    assert mask_path("/v1/things?api_key=sk_test_example&page=2") == "/v1/things"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("page=2&after=sk_test_1", "page=2&after=*"),
        ("sk_test_1=page&page=3", "*=*&page=3"),
        ("page=a%20b&page=", "page=a%20b&page=*"),
        ("page=a\nb&page=" + "a" * 65, "page=*&page=*"),
        ("page=1=2&page", "page=*&page=*"),
        ("page=1&&=x", "page=1&*&*"),
        ("page=2?page=3", "page=*"),
    ],
)
def test_with_an_allow_list_only_values_of_its_keys_are_shown(query: str, shown: str) -> None:
    assert mask_path(f"/v1?{query}", frozenset({"page"})) == f"/v1?{shown}"


def test_a_long_path_is_shown_up_to_a_number_of_segments() -> None:
    assert mask_path("/a" * 4000) == "/a" * 23 + "/*"


def test_a_long_query_is_shown_up_to_a_number_of_pairs() -> None:
    shown = mask_path("/v1?" + "&".join(["page=1"] * 4000), frozenset({"page"}))
    assert shown == "/v1?" + "page=1&" * 16 + "page=*"


@given(st.text(), st.frozensets(st.text()))
def test_nothing_but_printable_ascii_is_returned(path: str, keys: frozenset[str]) -> None:
    shown = mask_path(path, frozenset(key for key in keys if key.isascii() and key.isprintable()))
    assert set(shown) <= set(string.printable) - set("\t\n\r\x0b\x0c")


@given(st.text(string.ascii_letters + string.digits, min_size=33))
def test_a_long_token_never_survives(token: str) -> None:
    assert token not in mask_path(f"/v1/{token}/x?{token}={token}", frozenset({"page"}))


CHARGES = Profile(
    paths=("/v1/charges/{id}", "/v1/{kind}/search*"),
    secret_paths=("/services/{secret}/{secret}", "/v1/hooks/{id}/{secret}*"),
    sensitive_query=("api_key",),
)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/v1/charges/ch_123abc?expand=x", "/v1/charges/{id}"),
        (b"/v1/charges/word", "/v1/charges/{id}"),
        (b"/v1/charges/", "/v1/charges/"),
        (b"/v1/charges/ch_1/refunds", "/v1/charges/*/refunds"),
        (b"/v1/things/search/more", "/v1/{kind}/search*"),
        (b"/services/plain/word/and/more", "/services/*/*/and/more"),
        (b"/v1/hooks/number/word", "/v1/hooks/number/*"),
        (b"/v1/hooks/number/word/github", "/v1/hooks/number/*/github"),
        (b"/v1/\xff/\n", "/v1/*/*"),
        (b"/v1/" + b"a" * 400, "/v1/*"),
    ],
)
def test_a_path_is_shown_as_the_template_that_it_fits_and_a_secret_of_it_never(target: bytes, shown: str) -> None:
    assert [PathMask(CHARGES)(target) for _ in range(2)] == [shown, shown]


def test_a_sensitive_key_is_masked_even_where_the_query_may_be_shown() -> None:
    mask = PathMask(CHARGES, frozenset({"page", "API_KEY", "api_key"}))
    assert mask(b"/v1/charges/ch_1?page=2&api_key=word&API_KEY=word") == "/v1/charges/{id}?page=2&api_key=*&API_KEY=*"
    assert mask(b"/v1/things?page=2&api_key=word") == "/v1/things?page=2&api_key=*"


def test_a_provider_without_templates_is_masked_as_any_other() -> None:
    assert PathMask(Profile(), frozenset({"page"}))(b"/v1/charges/ch_1a2b?page=2") == "/v1/charges/*?page=2"
