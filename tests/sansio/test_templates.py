"""Which raw paths fit a template, and where in them the secrets stand."""

import pytest

from proxy.sansio.templates import compile_any, compile_first, compile_template, path_of


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/", b"/"),
        ("/*", b"/"),
        ("/*", b"/any/thing?"),
        ("/v1/charges", b"/v1/charges"),
        ("/v1/charges/{id}", b"/v1/charges/ch_1"),
        ("/v1/charges/{id}/refunds", b"/v1/charges/a%2Fb/refunds"),
        ("/2010-04-01/Accounts/{sid}/Messages.json", b"/2010-04-01/Accounts/AC1/Messages.json"),
        ("/calls/{id}.json", b"/calls/CA1.json"),
        ("/v2/publish/*", b"/v2/publish/https://example.com/a\nb"),
        ("/v2/publish/{secret}*", b"/v2/publish/x/y"),
    ],
)
def test_a_path_that_fits(template: str, path: bytes) -> None:
    assert compile_template(template).fullmatch(path)
    any_of = compile_any(("/other", template))
    assert any_of is not None
    assert any_of.fullmatch(path)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/", b""),
        ("/v1/charges", b"/v1/charges/"),
        ("/v1/charges", b"/v1/charge"),
        ("/v1/charges", b"/V1/charges"),
        ("/v1/charges/{id}", b"/v1/charges/"),
        ("/v1/charges/{id}", b"/v1/charges/a/b"),
        ("/v1.0/x", b"/v1a0/x"),
        ("/v1/*", b"/v2/x"),
        ("/v1/charges/{id}", b"//v1/charges/x"),
    ],
)
def test_a_path_that_does_not_fit(template: str, path: bytes) -> None:
    assert not compile_template(template).fullmatch(path)
    any_of = compile_any((template, "/other"))
    assert any_of is not None
    assert not any_of.fullmatch(path)


def test_no_template_is_told() -> None:
    assert compile_any(()) is None
    assert compile_first(()) is None


@pytest.mark.parametrize(
    ("path", "place"),
    [(b"/v1/new", 1), (b"/v1/old", 2), (b"/v1/old/x", 3), (b"/v2", None)],
)
def test_the_first_template_that_fits_is_told(path: bytes, place: int | None) -> None:
    first = compile_first(("/v1/new", "/v1/{secret}", "/v1/*"))
    assert first is not None
    match = first.fullmatch(path)
    assert (match and match.lastindex) == place


def test_the_groups_are_the_places_of_the_secrets_and_nothing_else() -> None:
    path = b"/services/T0/B0/key/x/y"
    match = compile_template("/services/{team}/{secret}/{secret}/*").fullmatch(path)
    assert match is not None
    assert [path[start:end] for start, end in match.regs[1:]] == [b"B0", b"key"]


def test_a_path_is_what_stands_before_the_query() -> None:
    assert [path_of(b"/a?b?c"), path_of(b"/a"), path_of(b"?a")] == [b"/a", b"/a", b""]
