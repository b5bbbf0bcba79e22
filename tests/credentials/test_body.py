"""The secret in fields of a body: JSON or form, plain or packed."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proxy.core.call import NO_BODY, Body, Call, Headers, WholeBody, field_value
from proxy.core.errors import BadRequest, BodyTooLarge, CredentialMissing
from proxy.core.secret import SecretSlot
from proxy.credentials.body import BodyFields
from tests.support.schemes import call_of, injected, slots_of
from tests.support.script import make_runtime

SECRET = "phc_test_example"
JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"


def scheme(**keys: Any) -> BodyFields:
    config = {"scheme": "body", "fields": ["api_key"], "value": "env:KEY"} | keys
    return BodyFields(BodyFields.Config.model_validate(config), slots_of({"env:KEY": SECRET}), make_runtime())


def post(data: bytes, kind: bytes | None = JSON, encoding: bytes | None = None) -> Call:
    headers: Headers = [(b"Host-Like", b"1"), (b"Content-Length", b"%d" % len(data)), (b"X-Last", b"1")]
    headers += [(b"Content-Type", kind)] if kind is not None else []
    headers += [(b"Content-Encoding", encoding)] if encoding is not None else []
    return call_of(b"/batch/", headers, "POST", WholeBody(data))


def body_of(call: Call, **keys: Any) -> bytes | None:
    return injected(scheme(**keys), call).body.whole


class Streamed(Body):
    """A body that arrives in pieces, once."""

    whole = None
    length = None

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    def can_replay(self) -> bool:
        return False


@pytest.mark.parametrize(
    "kind", [JSON, b"application/json; charset=utf-8", b"text/plain", b"application/vnd.x+json", None]
)
def test_a_json_body_gets_the_secret_and_keeps_every_other_byte(kind: bytes | None) -> None:
    data = b'{ "api_key":"placeholder", "batch":[{"event":"x","n":1.50}] }'
    assert body_of(post(data, kind)) == data.replace(b"placeholder", SECRET.encode())


def test_the_declared_length_follows_and_other_headers_stay() -> None:
    call = post(b'{"api_key":"x"}')
    sent = injected(scheme(), call)
    assert sent.headers == [
        (b"Host-Like", b"1"),
        (b"Content-Length", b"%d" % len(sent.body.whole or b"")),
        (b"X-Last", b"1"),
        (b"Content-Type", JSON),
    ]
    assert sent.body.length == len(sent.body.whole or b"")


def test_the_call_itself_never_holds_the_secret() -> None:
    call = post(b'{"api_key":"x"}')
    headers = list(call.headers)
    injected(scheme(), call)
    assert (call.body.whole, call.headers) == (b'{"api_key":"x"}', headers)


@pytest.mark.parametrize(
    ("fields", "document", "expected"),
    [
        (["api_key", "token"], {"token": "x"}, {"token": SECRET}),
        (["[].properties.token"], [{"properties": {"token": "x"}}], [{"properties": {"token": SECRET}}]),
        (["writeKey", "batch[].writeKey"], {"batch": [{"writeKey": 1}]}, {"batch": [{"writeKey": SECRET}]}),
        (["api_key"], {"api_key": None}, {"api_key": SECRET}),
        (["api_key"], {"properties": {"api_key": "a page's own"}}, {"properties": {"api_key": "a page's own"}}),
    ],
)
def test_every_named_place_is_replaced_and_no_other(fields: list[str], document: Any, expected: Any) -> None:
    assert json.loads(body_of(post(json.dumps(document).encode()), fields=fields) or b"") == expected


@pytest.mark.parametrize(
    ("encoding", "pack", "unpack"),
    [
        (b"gzip", gzip.compress, gzip.decompress),
        (b"deflate", zlib.compress, zlib.decompress),
        (b"zstd", zstd.compress, zstd.decompress),
        (b"br", brotli.compress, brotli.decompress),
    ],
)
def test_a_packed_body_is_unpacked_edited_and_packed_again(
    encoding: bytes, pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]
) -> None:
    packed = pack(b'{"api_key":"placeholder"}')
    sent = injected(scheme(), post(packed, JSON, encoding))
    assert json.loads(unpack(sent.body.whole or b"")) == {"api_key": SECRET}
    assert field_value(sent.headers, b"content-encoding") == encoding
    assert field_value(sent.headers, b"content-length") == b"%d" % len(sent.body.whole or b"")


def test_a_packed_body_without_the_field_keeps_its_bytes() -> None:
    packed = gzip.compress(b'{"a":1}', 9)
    assert body_of(post(packed, JSON, b"gzip")) == packed


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"api_key=placeholder&verbose=1", b"api_key=phc_test_example&verbose=1"),
        (b"a=%7e&api%5Fkey=x&api_key=y", b"a=%7e&api%5Fkey=phc_test_example&api_key=phc_test_example"),
        (b"verbose=1", b"verbose=1"),
        (b'{"api_key":"x"}', b'{"api_key":"phc_test_example"}'),  # what curl sends unless told otherwise
    ],
)
def test_a_form_gets_the_secret(data: bytes, expected: bytes) -> None:
    assert body_of(post(data, FORM)) == expected


def test_a_field_of_a_form_may_be_json_of_its_own() -> None:
    keys: dict[str, Any] = {"fields": ["[].properties.token", "properties.token"], "form_json": "data"}
    data = b"data=%5B%7B%22properties%22%3A+%7B%22token%22%3A+%22x%22%7D%7D%5D&verbose=1"
    expected = b"data=%5B%7B%22properties%22%3A+%7B%22token%22%3A+%22phc_test_example%22%7D%7D%5D&verbose=1"
    assert body_of(post(data, FORM), **keys) == expected
    assert body_of(post(b"verbose=1", FORM), **keys) == b"verbose=1"
    with pytest.raises(BadRequest):
        body_of(post(b"data=eyJldmVudCI6MX0%3D", FORM), **keys)


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (b'{"a":1}', JSON, b'{"api_key":"phc_test_example","a":1}'),
        (b'{"api_key":"x"}', JSON, b'{"api_key":"phc_test_example"}'),
        (b"[1]", JSON, b"[1]"),
        (b"a=1", FORM, b"a=1&api_key=phc_test_example"),
        (b"api_key=x", FORM, b"api_key=phc_test_example"),
    ],
)
def test_the_field_is_added_on_request(data: bytes, kind: bytes, expected: bytes) -> None:
    assert body_of(post(data, kind), add=True) == expected


def test_a_call_without_a_body_goes_through() -> None:
    sent = injected(scheme(add=True), call_of(b"/flags", [(b"Accept", b"*/*")], "GET", NO_BODY))
    assert (sent.headers, sent.body.whole) == ([(b"Accept", b"*/*")], b"")


@pytest.mark.parametrize(
    ("data", "kind", "encoding"),
    [
        (b"not json", JSON, None),
        (b'{"api_key":"x"', JSON, None),
        (b'{"api_key":"x"}\n{"api_key":"x"}', JSON, None),
        (b"\x00\x01", b"application/octet-stream", None),
        (b"api_key=x", b"multipart/form-data; boundary=a", None),
        (b'{"api_key":"x"}', JSON, b"compress"),
        (b'{"api_key":"x"}', JSON, b"gzip"),
        (gzip.compress(b'{"api_key":"x"}')[:-4], JSON, b"gzip"),
    ],
)
def test_a_body_that_can_not_be_read_is_refused(data: bytes, kind: bytes, encoding: bytes | None) -> None:
    with pytest.raises(BadRequest, match="acme") as caught:
        body_of(post(data, kind, encoding))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "call", [post(b'"%b"' % (b"a" * 1023)), post(gzip.compress(bytes(1025)), JSON, b"gzip")], ids=["plain", "packed"]
)
def test_a_body_beyond_the_bound_is_refused_packed_or_not(call: Call) -> None:
    with pytest.raises(BodyTooLarge, match="1024"):
        body_of(call, most="1KiB")


def test_a_streamed_body_is_read_whole_and_stays_chunked() -> None:
    headers = [(b"Transfer-Encoding", b"chunked"), (b"Content-Type", JSON)]
    sent = injected(scheme(), call_of(b"/", headers, "POST", Streamed(b'{"api_', b'key":"x"}')))
    assert (sent.body.whole, sent.body.length) == (b'{"api_key":"phc_test_example"}', None)
    assert sent.headers == headers


def test_without_its_secret_nothing_is_sent_even_where_the_body_needs_none() -> None:
    config = BodyFields.Config.model_validate({"scheme": "body", "fields": ["k"], "value": "env:NONE"})
    empty = BodyFields(config, lambda refs: SecretSlot(refs[0]), make_runtime())
    with pytest.raises(CredentialMissing, match="env:NONE"):
        injected(empty, call_of())


def test_the_places_are_told() -> None:
    assert scheme(fields=["a", "[].b"]).places == ("body field a", "body field [].b")


@pytest.mark.parametrize(
    "keys",
    [
        {"fields": []},
        {"fields": ["a..b"]},
        {"fields": ["a.b"], "add": True},
        {"add": True, "form_json": "data"},
        {"most": "0B"},
        {"most": "1GiB"},
    ],
)
def test_settings_that_can_not_work_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        scheme(**keys)


Pack = Callable[[bytes], bytes]
PACKINGS: list[tuple[bytes | None, Pack, Pack]] = [
    (None, bytes, bytes),
    (b"gzip", gzip.compress, gzip.decompress),
    (b"zstd", zstd.compress, zstd.decompress),
    (b"br", brotli.compress, brotli.decompress),
]


@given(st.dictionaries(st.sampled_from(["api_key", "a", "b"]), st.text(max_size=5)), st.sampled_from(PACKINGS))
def test_a_placeholder_in_its_place_never_reaches_the_provider(
    document: dict[str, str], packing: tuple[bytes | None, Pack, Pack]
) -> None:
    encoding, pack, unpack = packing
    sent = injected(scheme(), post(pack(json.dumps(document).encode()), JSON, encoding)).body.whole or b""
    assert json.loads(unpack(sent)) == document | ({"api_key": SECRET} if "api_key" in document else {})


def test_two_fields_of_content_encoding_are_one_list_and_no_way_past() -> None:
    call = post(gzip.compress(b"api_key=placeholder"), FORM, b"identity")
    call.headers.append((b"Content-Encoding", b"gzip"))
    with pytest.raises(BadRequest, match="Content-Encoding"):
        body_of(call)
