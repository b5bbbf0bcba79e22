"""A provider's absolute URLs, led back through the sidecar."""

import gzip
import json
from collections.abc import Callable

import brotli
import pytest
from backports import zstd
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.core.call import Call, Headers, Reply
from proxy.core.profile import Urls
from proxy.credentials.scheme import strip_query
from proxy.edge.listener.rewrite import MOST_BYTES, WITHIN_S, Rewriter, base_of
from proxy.edge.upstream.dial import Origin
from tests.support.script import ScriptedStream, SlowStream, make_call
from tests.support.upstream import whole
from tests.support.virtual import run

STRIPE = Origin("https", "api.stripe.example", 443)
BASE = b"http://127.0.0.1:4780/stripe"


def rewriter(*fields: str, origin: Origin = STRIPE, hosts: tuple[str, ...] = ()) -> Rewriter:
    return Rewriter(Urls(fields=fields, hosts=hosts), {"": origin})


def without_key(url: bytes) -> bytes:
    return strip_query(url, (b"app_key",))


def call_at(base: str = BASE.decode(), method: str = "GET") -> Call:
    call = make_call(method)
    call.base = base
    return call


@pytest.mark.parametrize(
    ("host", "prefix", "base"),
    [
        (b"127.0.0.1:4780", "stripe", "http://127.0.0.1:4780/stripe"),
        (b"stripe.localhost:4780", "", "http://stripe.localhost:4780"),
        (None, "stripe", ""),
    ],
)
def test_a_caller_comes_back_by_the_way_it_came(host: bytes | None, prefix: str, base: str) -> None:
    assert base_of(host, prefix) == base


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        (b"https://api.stripe.example/v1/a?b=c#d", b"/v1/a?b=c#d"),
        (b"https://api.stripe.example:443/v1", b"/v1"),
        (b"HTTPS://API.Stripe.Example/V1//%2f", b"/V1//%2f"),
        (b"//api.stripe.example/v1", b"/v1"),
        (b"https://api.stripe.example", b""),
        (b"https://api.stripe.example?a", b"?a"),
    ],
)
def test_the_provider_s_own_urls_are_led_back_with_everything_behind_the_host(url: bytes, rest: bytes) -> None:
    assert rewriter().url(url, BASE) == BASE + rest


@pytest.mark.parametrize(
    "url",
    [
        b"http://api.stripe.example/v1",
        b"https://api.stripe.example:8443/v1",
        b"https://api.stripe.example.evil.example/v1",
        b"https://api.stripe.example@evil.example/v1",
        b"https://api.stripe.example:443@evil.example/v1",
        b"https://user:word@api.stripe.example/v1",
        b"https://files.stripe.example/v1",
        b"https://apixstripe.example/",
        b" https://api.stripe.example/v1",
        b"ftp://api.stripe.example/",
        b"see https://api.stripe.example/v1",
        b"",
    ],
)
def test_any_other_url_is_left_alone(url: bytes) -> None:
    assert rewriter().url(url, BASE) is None


def test_only_what_lies_below_the_base_path_can_be_reached_and_so_is_led_back() -> None:
    below = rewriter(origin=Origin("https", "api.x.example", 443, b"/v2"))
    assert below.url(b"https://api.x.example/v2/a", BASE) == BASE + b"/a"
    assert below.url(b"https://api.x.example/v2", BASE) == BASE
    assert below.url(b"https://api.x.example/v22/a", BASE) is None
    assert below.url(b"https://api.x.example/a", BASE) is None


def test_further_hosts_mean_the_provider_too() -> None:
    more = rewriter(hosts=("storage.stripe.example",))
    assert more.url(b"http://Storage.stripe.example/a", BASE) == BASE + b"/a"
    assert more.url(b"https://storage.stripe.example:1/a", BASE) is None


def test_every_account_s_own_address_means_the_provider() -> None:
    both = Rewriter(Urls(), {"": STRIPE, "eu": Origin("https", "eu.stripe.example", 8443, b"/eu")})
    assert both.url(b"https://api.stripe.example/a", BASE) == BASE + b"/a"
    assert both.url(b"https://eu.stripe.example:8443/eu/a", BASE) == BASE + b"/a"


def test_a_credential_that_the_provider_repeats_in_its_urls_does_not_reach_the_caller() -> None:
    keyed = Rewriter(Urls(), {"": STRIPE}, without_key)
    url = b"https://api.stripe.example/a?app%5Fkey=sk_test_example&page=2#top"
    assert keyed.url(url, BASE) == BASE + b"/a?page=2#top"
    assert keyed.header(b"Location", b"/a?app_key=sk_test_example", call_at()) == b"/stripe/a"
    assert rewriter().url(url, BASE) == BASE + url[len(b"https://api.stripe.example") :]


def test_an_ipv6_origin_is_known_by_its_brackets() -> None:
    local = rewriter(origin=Origin("http", "::1", 8080))
    assert local.url(b"http://[::1]:8080/a", BASE) == BASE + b"/a"


def test_all_targets_of_a_link_field_are_led_back_and_nothing_else_of_it_changes() -> None:
    value = (
        b'<https://api.stripe.example/r?page=2>; rel="next", <https://other.example/>;rel=x,'
        b' </r?page=9>; title="<https://api.stripe.example/t>"'
    )
    assert rewriter().header(b"LINK", value, call_at()) == (
        b'<http://127.0.0.1:4780/stripe/r?page=2>; rel="next", <https://other.example/>;rel=x,'
        b' </stripe/r?page=9>; title="<https://api.stripe.example/t>"'
    )


@pytest.mark.parametrize(
    ("base", "value", "shown"),
    [
        (BASE.decode(), b"https://api.stripe.example/v2/a", b"http://127.0.0.1:4780/stripe/a"),
        (BASE.decode(), b"/v2/a?b", b"/stripe/a?b"),
        (BASE.decode(), b"/a?b", b"https://api.stripe.example/a?b"),
        (BASE.decode(), b"a", b"a"),
        ("http://stripe.localhost:4780", b"/v2/a", b"/a"),
        ("http://stripe.localhost:4780", b"/v2//evil.example/a", b"http://stripe.localhost:4780//evil.example/a"),
        ("http://stripe.localhost:4780", b"/v2/\\evil.example", b"http://stripe.localhost:4780/\\evil.example"),
        ("http://stripe.localhost:4780", b"/v2", b"http://stripe.localhost:4780"),
        ("http://stripe.localhost:4780", b"/v2?b", b"http://stripe.localhost:4780?b"),
        ("http://stripe.localhost:4780", b"https://api.stripe.example/v2/a", b"http://stripe.localhost:4780/a"),
        ("", b"https://api.stripe.example/v2/a", b"https://api.stripe.example/v2/a"),
    ],
)
def test_a_location_leads_back_whether_it_names_the_host_or_not(base: str, value: bytes, shown: bytes) -> None:
    below = rewriter(origin=Origin("https", "api.stripe.example", 443, b"/v2"))
    assert below.header(b"Location", value, call_at(base)) == shown


@pytest.mark.parametrize("dots", [b"/../twilio/a", b"/%2E%2e/twilio/a"])
def test_a_url_is_not_led_back_that_could_come_out_at_another_provider(dots: bytes) -> None:
    keyed = Rewriter(Urls(), {"": STRIPE}, without_key)
    shown = keyed.header(b"Location", b"https://api.stripe.example" + dots + b"?app_key=sk_test_example", call_at())
    assert shown == b"https://api.stripe.example" + dots


def test_behind_a_quote_that_stays_open_nothing_is_looked_for() -> None:
    value = b'</a>; title="' + b'\\"' * 50_000 + b", <https://api.stripe.example/b>"  # else each one is looked behind
    assert rewriter().header(b"Link", value, call_at()) == b"</stripe" + value[1:]


def test_a_path_on_the_host_is_left_as_it_is_where_the_caller_came_by_host() -> None:
    assert rewriter().header(b"Location", b"/v1/a", call_at("http://stripe.localhost:4780")) == b"/v1/a"


@given(value=st.binary(max_size=60))
@example(b"<>")
def test_a_field_without_a_url_of_the_provider_is_never_touched(value: bytes) -> None:
    for name in (b"Link", b"Location"):
        if not any(mark in value for mark in (b"/", b"\\", b":", b".")):
            assert rewriter().header(name, value, call_at()) == value


PAGE = b'{ "next": "https:\\/\\/api.stripe.example\\/v1?page=2", "n": 1.10, "note": "https://api.stripe.example/x" }'
HEADERS: Headers = [(b"Content-Type", b"application/json"), (b"ETag", b'"abc"')]


def json_reply(body: bytes, *more: tuple[bytes, bytes], status: int = 200) -> Reply:
    return Reply(status, b"", [*HEADERS, *more, (b"Content-Length", b"%d" % len(body))], body)


def led_back(reply: Reply, *fields: str, call: Call | None = None) -> Reply:
    """Serve a reply as the listener does: its body is rewritten where that is wanted."""
    chosen, caller = rewriter(*fields), call or call_at()

    async def scene() -> None:
        if chosen.wants_body(caller, reply):
            await chosen.body(caller, reply)
        reply.body, reply.stream = await whole(reply), None

    run(scene())
    return reply


def test_urls_at_the_named_places_of_a_body_are_led_back_and_every_other_byte_stays() -> None:
    changed = b'{ "next": "http://127.0.0.1:4780/stripe/v1?page=2", "n": 1.10, "note": "https://api.stripe.example/x" }'
    reply = led_back(json_reply(PAGE), "next", "links[].href")
    assert reply.body == changed
    assert reply.headers == [*HEADERS, (b"Content-Length", b"%d" % len(changed))]


@pytest.mark.parametrize(
    ("coding", "pack"), [(b"gzip", gzip.compress), (b"br", brotli.compress), (b"zstd", zstd.compress)]
)
def test_a_coded_body_is_sent_plain_and_without_what_was_true_of_the_old_bytes(
    coding: bytes, pack: Callable[[bytes], bytes]
) -> None:
    digests = [(name, b"x") for name in (b"Content-MD5", b"Digest", b"Content-Digest", b"Repr-Digest", b"x-amz-crc32")]
    coded = json_reply(pack(PAGE), (b"Content-Encoding", coding), *digests)
    reply = led_back(coded, "next")
    assert json.loads(reply.body)["next"] == "http://127.0.0.1:4780/stripe/v1?page=2"
    assert reply.headers == [*HEADERS, (b"Content-Length", b"%d" % len(reply.body))]


def test_a_body_in_chunks_gets_a_length() -> None:
    reply = Reply(200, b"", [*HEADERS, (b"Transfer-Encoding", b"chunked")], b"", ScriptedStream(PAGE[:30], PAGE[30:]))
    led_back(reply, "next")
    assert reply.headers == [*HEADERS, (b"Content-Length", b"%d" % len(reply.body))]
    assert b"http://127.0.0.1:4780/stripe/v1?page=2" in reply.body


@pytest.mark.parametrize(
    "body",
    [
        b'{"next": "https://other.example/?from=https://api.stripe.example/"}',
        b'{"next": null, "text": "https://api.stripe.example/"}',
        b'{"next": "https://api.stripe.example/"',
        b"not json https://api.stripe.example/",
        b"",
        b" " * MOST_BYTES + PAGE,
    ],
)
def test_a_body_in_which_nothing_is_to_be_led_back_goes_on_as_it_came(body: bytes) -> None:
    for more in ([], [(b"Content-MD5", b"x")]):
        headers = [*HEADERS, *more]
        reply = led_back(Reply(200, b"", headers, body), "next")
        assert (reply.body, reply.headers) == (body, headers)
        streamed = led_back(Reply(200, b"", headers, b"", ScriptedStream(body[:5], body[5:])), "next")
        assert (streamed.body, streamed.headers) == (body, headers)


def test_a_coding_that_is_damaged_or_not_known_goes_on_as_it_came() -> None:
    for coding in (b"gzip", b"br", b"compress", b"gzip, gzip"):
        reply = json_reply(PAGE, (b"Content-Encoding", coding))
        before = list(reply.headers)
        assert (led_back(reply, "next").body, reply.headers) == (PAGE, before)


def test_a_body_that_takes_too_long_goes_on_piece_by_piece() -> None:
    slow = SlowStream(WITHIN_S * 0.6, PAGE[:20], PAGE[20:])
    assert led_back(Reply(200, b"", list(HEADERS), b"", slow), "next").body == PAGE


@pytest.mark.parametrize(
    ("reply", "call"),
    [
        (json_reply(PAGE, status=206), call_at()),
        (json_reply(b"", status=204), call_at()),
        (json_reply(b"", status=304), call_at()),
        (json_reply(b""), call_at(method="HEAD")),
        (json_reply(PAGE), call_at("")),
        (Reply(200, b"", [(b"Content-Type", b"text/event-stream")], PAGE), call_at()),
        (Reply(200, b"", [(b"Content-Type", b"application/x-ndjson")], PAGE), call_at()),
        (Reply(200, b"", [], PAGE), call_at()),
        (Reply(200, b"", [*HEADERS, (b"Content-Length", b"%d" % (MOST_BYTES + 1))], b""), call_at()),
    ],
)
def test_pieces_streams_and_what_has_no_body_are_not_read(reply: Reply, call: Call) -> None:
    assert not rewriter("next").wants_body(call, reply)


TEXTS = st.text(max_size=8) | st.sampled_from(["https://api.stripe.example/a", "https://other.example/", "next"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(document=st.dictionaries(TEXTS, VALUES, max_size=4), ascii_only=st.booleans())
def test_a_rewritten_document_differs_at_the_named_places_only(document: dict[str, object], ascii_only: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only).encode()
    reply = led_back(json_reply(text), "next")
    assert reply.body.replace(BASE, b"https://api.stripe.example") == text
    expected = dict(document)
    if expected.get("next") == "https://api.stripe.example/a":
        expected["next"] = "http://127.0.0.1:4780/stripe/a"
    assert json.loads(reply.body) == expected
