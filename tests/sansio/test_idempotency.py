"""Where a provider looks for its idempotency key, which calls take one, and how one is put in."""

import json
from typing import Any

import pytest

from proxy.core.call import Body, Call, WholeBody
from proxy.core.profile import Idempotency, Operation, Profile
from proxy.sansio.idempotency import IdempotencyKeys, replace_body
from tests.support.script import make_call

SQUARE = {"header": None, "field": "idempotency_key", "methods": ("POST",)}
GOOGLE = {"header": None, "query": "requestId", "methods": ("POST",)}


def keys(**place: Any) -> IdempotencyKeys:
    return IdempotencyKeys(Profile(idempotency=Idempotency.model_validate(place)))


def post(data: bytes = b"", target: bytes = b"/v1", headers: dict[str, str] | None = None) -> Call:
    return make_call("POST", target, {"Content-Length": str(len(data))} | (headers or {}), WholeBody(data))


class Streamed(Body):
    whole = None
    length = 20

    def chunks(self) -> Any:
        raise AssertionError("nobody may read it for a key")

    def can_replay(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("place", "method", "target", "takes"),
    [
        ({}, "POST", b"/v1", True),
        ({}, "PATCH", b"/v1", True),
        ({}, "GET", b"/v1", False),
        ({"methods": ("POST", "DELETE")}, "DELETE", b"/v1", True),
        ({"paths": ("/v2/orders", "/v2/orders/{id}/capture")}, "POST", b"/v2/orders?a=/v1", True),
        ({"paths": ("/v2/orders", "/v2/orders/{id}/capture")}, "POST", b"/v2/orders/1/capture", True),
        ({"paths": ("/v2/orders", "/v2/orders/{id}/capture")}, "POST", b"/v2/orders/1/void", False),
        ({"header": None}, "POST", b"/v1", False),
        (SQUARE, "POST", b"/v1", True),
        (GOOGLE, "POST", b"/v1", True),
    ],
)
def test_which_calls_take_a_key(place: dict[str, Any], method: str, target: bytes, takes: bool) -> None:
    assert keys(**place).takes_key(make_call(method, target)) is takes


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ({}, post(headers={"IDEMPOTENCY-key": "k"})),
        (GOOGLE, post(target=b"/v1?a=1&requestId=k")),
        (GOOGLE, post(target=b"/v1?request%49d=k")),
        (SQUARE, post(b'{"a": 1, "idempotency_key": "k"}')),
        (SQUARE, post(b'{"idempotency_key": 7}')),
    ],
)
def test_a_key_is_seen_where_the_provider_looks_for_it(place: dict[str, Any], call: Call) -> None:
    assert keys(**place).has_key(call)
    assert keys(**place).is_keyed(call)


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ({}, post()),
        ({}, post(headers={"Idempotency-Key": ""})),
        ({}, post(b'{"idempotency-key": "k"}', b"/v1?idempotency-key=k")),
        (GOOGLE, post(target=b"/v1")),
        (GOOGLE, post(target=b"/v1?requestId=")),
        (GOOGLE, post(target=b"/v1?requestid=k&x=requestId=k")),
        (SQUARE, post(b'{"payment": {"idempotency_key": "k"}}')),
        (SQUARE, post(b'{"idempotency_key": ""}')),
        (SQUARE, post(b'{"idempotency_key": null}')),
        (SQUARE, post(b"idempotency_key=k")),
        (SQUARE, post(b'{"idempotency_key": "k"')),
        (SQUARE, post(b'{"idempotency_key": "k"}', headers={"Content-Encoding": "gzip"})),
        (SQUARE, make_call("POST", body=Streamed())),
    ],
)
def test_anything_else_is_no_key(place: dict[str, Any], call: Call) -> None:
    assert not keys(**place).has_key(call)
    assert not keys(**place).is_keyed(call)


def test_a_key_that_the_provider_does_not_heed_makes_nothing_safe() -> None:
    assert not keys(paths=("/v2/orders",)).is_keyed(post(target=b"/v1", headers={"Idempotency-Key": "k"}))


def test_a_header_is_put_last() -> None:
    call = post(headers={"X": "1"})
    before = call.headers
    assert keys(header="paypal-request-id").put(call, "key-1") == "key-1"
    assert call.headers == [*before, (b"Paypal-Request-Id", b"key-1")]
    assert len(before) == 2


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/v1", b"/v1?requestId=key-1"),
        (b"/v1?", b"/v1?requestId=key-1"),
        (b"/v1?a=%7e", b"/v1?a=%7e&requestId=key-1"),
    ],
)
def test_a_query_pair_is_put_last(target: bytes, expected: bytes) -> None:
    call = post(target=target)
    assert keys(**GOOGLE).put(call, "key-1") == "key-1"
    assert call.target == expected


def test_a_body_field_is_put_first_and_the_length_follows() -> None:
    call = post(b'{ "amount": 1.50 }')
    assert keys(**SQUARE).put(call, "key-1") == "key-1"
    expected = b'{"idempotency_key":"key-1", "amount": 1.50 }'
    assert call.body.whole == expected
    assert call.headers == [(b"Content-Length", str(len(expected)).encode())]
    assert keys(**SQUARE).has_key(call)


@pytest.mark.parametrize(
    "call",
    [
        post(b""),
        post(b"[]"),
        post(b"a=1"),
        post(b'{"idempotency_key": ""}'),
        post(b'{"a": 1}', headers={"Content-Encoding": "gzip"}),
        make_call("POST", body=Streamed()),
    ],
)
def test_a_body_that_can_not_take_a_field_is_left_alone(call: Call) -> None:
    before = (call.headers, call.body, call.target)
    assert keys(**SQUARE).put(call, "key-1") == ""
    assert (call.headers, call.body, call.target) == before


def test_a_key_is_no_longer_than_the_provider_takes() -> None:
    call = post(b"{}")
    assert keys(**SQUARE, max_length=16).put(call, "k" * 36) == "k" * 16
    assert json.loads(call.body.whole or b"") == {"idempotency_key": "k" * 16}


def test_a_chunked_body_stays_chunked() -> None:
    call = make_call("POST", headers={"Transfer-Encoding": "chunked"}, body=WholeBody(b"old", chunked=True))
    replace_body(call, b"longer")
    assert (call.body.whole, call.body.length) == (b"longer", None)
    assert call.headers == [(b"Transfer-Encoding", b"chunked")]


def test_a_post_that_only_reads_is_known_by_its_path() -> None:
    profile = Profile(
        repeatable=(Operation(path="/graphql"), Operation(methods=("POST", "PATCH"), path="/{index}/_search"))
    )
    reads = IdempotencyKeys(profile).reads_only
    assert [reads(make_call("POST", path)) for path in (b"/graphql?a", b"/i/_search", b"/i/_doc", b"/a/b/_search")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert [reads(make_call(method, b"/graphql")) for method in ("POST", "PATCH")] == [True, False]


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ({}, post(headers={"Idempotency-Key": ""})),
        ({}, post(headers={"Idempotency-Key": "", "idempotency-key": "k"})),
        (GOOGLE, post(target=b"/v1?requestId")),
        (GOOGLE, post(target=b"/v1?requestId=&a=1&requestId=k")),
        (SQUARE, post(b'{"idempotency_key": null}')),
        (SQUARE, post(b'{"idempotency_key": "", "idempotency_key": "k"}')),
    ],
)
def test_an_empty_key_is_none_and_gets_none_beside_it_because_either_could_be_read(
    place: dict[str, Any], call: Call
) -> None:
    before = (call.target, call.headers, call.body.whole)
    assert keys(**place).put(call, "k" * 36) == ""
    assert (call.target, call.headers, call.body.whole) == before
    assert not keys(**place).is_keyed(call)
