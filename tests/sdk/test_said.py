"""The comparison on which the tests with SDKs rest finds what it is there to find."""

import gzip
from base64 import b64encode

import pytest

from tests.sdk.said import check_known, mentions_placeholder, said
from tests.support.framing import split_requests
from tests.support.wire import Request

pytestmark = pytest.mark.sdk

HEAD = b"POST /v1/charges?a=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_example\r\nB: 1\r\nC: 2\r\n\r\n"


@pytest.mark.parametrize(
    "changed",
    [
        (HEAD.replace(b"POST", b"PUT"), b"body"),
        (HEAD.replace(b"a=1", b"a=%31"), b"body"),
        (HEAD.replace(b"B: 1\r\nC: 2", b"C: 2\r\nB: 1"), b"body"),
        (HEAD.replace(b"B: 1", b"b: 1"), b"body"),
        (HEAD.replace(b"B: 1", b"B: 1\r\nB: 1"), b"body"),
        (HEAD, b"BODY"),
    ],
)
def test_a_change_is_found(changed: tuple[bytes, bytes]) -> None:
    assert said("stripe", *changed) != said("stripe", HEAD, b"body")


def test_credential_host_and_hop_by_hop_fields_are_no_change() -> None:
    other = HEAD.replace(b"Host: x", b"Host: y\r\nConnection: close").replace(b"sk_test_example", b"placeholder")
    assert said("stripe", other, b"body") == said("stripe", HEAD, b"body")


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"sk_test_example", b"placeholder"),
        HEAD.replace(b"Authorization: Bearer sk_test_example\r\n", b""),
        HEAD.replace(b"B: 1", b"Authorization: Bearer sk_test_example"),
        HEAD.replace(b"B: 1", b"X-Api-Key: 1"),
    ],
)
def test_a_wrong_missing_or_second_credential_is_found(head: bytes) -> None:
    with pytest.raises(AssertionError):
        check_known("stripe", Request(head, 0, 0.0))


@pytest.mark.parametrize(
    "query", [b"app_id=edamam-example-of-an-id", b"app_id=placeholder&app_key=placeholder", b"q=1"]
)
def test_a_wrong_or_missing_credential_in_the_query_is_found(query: bytes) -> None:
    with pytest.raises(AssertionError):
        check_known("edamam", Request(b"GET /?%b HTTP/1.1\r\n\r\n" % query, 0, 0.0))


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"GET /placeholder HTTP/1.1\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nAuthorization: Basic %b\r\n\r\n" % b64encode(b"user:placeholder"), b""),
        (b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(b'{"key":"placeholder"}')),
    ],
)
def test_a_placeholder_is_found_wherever_it_hides(head: bytes, body: bytes) -> None:
    assert mentions_placeholder(head, body)


def test_requests_are_told_apart_whatever_their_framing() -> None:
    first = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"
    second = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    third = b"GET / HTTP/1.1\r\n\r\n"
    stream = first + b"one" + second + b"2\r\ntw\r\n1;x=y\r\no\r\n0\r\n\r\n" + third + b"GET /cut"
    assert split_requests(stream) == [(first, b"one"), (second, b"two"), (third, b"")]
