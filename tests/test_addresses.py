"""Base URLs are parsed once, and what could lead elsewhere is refused."""

import pytest

from proxy.addresses import BaseUrl, keeps_domain, parse_base_url, parse_var


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


@pytest.mark.parametrize(
    ("value", "text"),
    [("acme", "acme"), ("Acme_eu-1", "Acme_eu-1"), (123, "123"), ("xy1.eu-1.aws", "xy1.eu-1.aws")],
)
def test_what_fills_a_brace_is_a_plain_word(value: object, text: str) -> None:
    assert parse_var(value) == text


@pytest.mark.parametrize(
    "value",
    ["", ".a", "a.", "a..b", ".", "evil.example/", "a b", "-a", "a.-b", "{x}", "x" * 64, "a." * 8 + "a", True, None,
     1.5, ["a"]],
)  # fmt: skip
def test_what_could_lead_to_another_domain_fills_no_brace(value: object) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        parse_var(value)


@pytest.mark.parametrize(
    ("template", "keeps"),
    [
        ("https://{x}.snowflakecomputing.com", True),
        ("https://{x}.{region}.elastic.example", True),
        ("https://{x}-dsn.algolia.example:8443/v1", True),
        ("https://login.example.com/{x}/token", True),
        ("https://api.example.com", True),
        ("{x}", True),
        ("https://{x}", False),
        ("https://{x}.com", False),
        ("https://{x}.{region}.com", False),
        ("https://api.{x}", False),
        ("https://api.example.com:{x}", False),
        ("https://{x}.acme.example.{x}", False),
    ],
)
def test_dots_may_stand_in_a_brace_only_before_a_domain_that_is_written_out(template: str, keeps: bool) -> None:
    assert keeps_domain(template, "x") is keeps
