"""URL references as HTTP clients read them."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sansio.references import Reference, read, resolve


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        (b"http://a.example/b?c#d", Reference("a.example", 80, b"/b?c#d")),
        (b"HTTPS://User:word@A.Example.:8443", Reference("a.example", 8443, b"")),
        (b"https://a_b.example?c", Reference("a_b.example", 443, b"?c")),
        (b"//[::1]/a", Reference("[::1]", 80, b"/a")),
        (b"//a@b@c.example:/", Reference("c.example", 80, b"/")),
        (b" ht\ttp://a.example/b ", Reference("a.example", 80, b"/b")),
        (b"/a//b", Reference("", 0, b"/a//b")),
        (b"a/b:c", Reference("", 0, b"a/b:c")),
        (b"../a", Reference("", 0, b"../a")),
        (b"?a=http://b", Reference("", 0, b"?a=http://b")),
        (b"", Reference("", 0, b"")),
    ],
)
def test_a_reference_names_an_authority_or_is_relative(value: bytes, reference: Reference) -> None:
    assert read(value) == reference


@pytest.mark.parametrize("value", [b"mailto:a@b.example", b"urn:a:b", b"ftp://a.example/", b"localhost:4780/a"])
def test_another_scheme_leads_to_no_http_server(value: bytes) -> None:
    assert read(value) is None


@pytest.mark.parametrize(
    "value",
    [
        b"http:", b"http:a", b"http:/a", b"http://", b"http:///a", b"///a", b"//", b"//@", b"/\\a", b"\\a", b"//a\\b",
        b"http://a b/", b"http://a%2eb/", b"http://[::1", b"http://::1/", b"http://a:b/", b"http://a:123456/",
        b"http://\xc3\xa9.example/",
    ],
)  # fmt: skip
def test_what_clients_read_in_different_ways_is_told_apart(value: bytes) -> None:
    with pytest.raises(ValueError, match="not a URL that all clients read alike"):
        read(value)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    try:
        reference = read(value)
    except ValueError:
        return
    assert reference is None or (reference.host == "") == (reference.port == 0)


@pytest.mark.parametrize(
    ("path", "reference", "resolved"),
    [
        # RFC 3986 section 5.4, whose page is /b/c/d;p
        (b"/b/c/d;p", b"g", b"/b/c/g"),
        (b"/b/c/d;p", b"./g", b"/b/c/g"),
        (b"/b/c/d;p", b"g/", b"/b/c/g/"),
        (b"/b/c/d;p", b"/g", b"/g"),
        (b"/b/c/d;p", b"g?y#s", b"/b/c/g?y#s"),
        (b"/b/c/d;p", b".", b"/b/c/"),
        (b"/b/c/d;p", b"..", b"/b/"),
        (b"/b/c/d;p", b"../..", b"/"),
        (b"/b/c/d;p", b"../../../g", b"/g"),
        (b"/b/c/d;p", b"/../g", b"/g"),
        (b"/b/c/d;p", b"g..", b"/b/c/g.."),
        (b"/b/c/d;p", b"./g/.", b"/b/c/g/"),
        (b"/b/c/d;p", b"g;x=1/../y", b"/b/c/y"),
        (b"/b/c/d;p", b"g?y/../x", b"/b/c/g?y/../x"),
        (b"/b/c/d;p", b"%2E%2e/%2e/g", b"/b/g"),
        (b"/", b"a//../b", b"/a/b"),
    ],
)
def test_a_relative_reference_is_resolved(path: bytes, reference: bytes, resolved: bytes) -> None:
    assert resolve(path, reference) == resolved


SEGMENTS = st.lists(st.sampled_from(["a", "b", ".", "..", "..."]), min_size=1, max_size=8).map("/".join)


@given(page=SEGMENTS, reference=SEGMENTS, rooted=st.booleans())
def test_it_is_resolved_as_the_standard_library_does(page: str, reference: str, rooted: bool) -> None:
    text = "/" + reference if rooted else reference
    expected = urlsplit(urljoin(f"http://host/{page}", text)).path
    assert resolve(f"/{page}".encode(), text.encode()) == expected.encode()
