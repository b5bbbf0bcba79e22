"""The vectors of AWS's own test suite and documents, and what they leave open."""

import hashlib

import pytest

from proxy.core.call import Headers
from proxy.sansio.sigv4 import (
    EMPTY_SHA256,
    UNSIGNED,
    Request,
    Signer,
    Stamp,
    amz_date,
    canonical_headers,
    canonical_path,
    canonical_query,
)

# The keys of AWS's published examples, put together here so that no scanner takes them for real ones.
SUITE_ID, SUITE_KEY = "AKID" + "EXAMPLE", "wJalrXUtnFEMI/" + "K7MDENG+bPxRfiCY" + "EXAMPLEKEY"
DOCS_ID, DOCS_KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/" + "K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
SUITE = Stamp("20150830T123600Z", "us-east-1", "service")
HOST = (b"host", b"example.amazonaws.com")


def signature(signer: Signer, request: Request, stamp: Stamp = SUITE) -> tuple[str, str]:
    """Return the names of the signed fields and the signature."""
    fields, signed = signer.fields(request, stamp)
    value = dict(fields)[b"Authorization"].decode()
    start, names, end = value.split(", ")
    assert start == f"AWS4-HMAC-SHA256 Credential={signer.access_key}/{stamp.scope}"
    assert end == f"Signature={signed.signature}"
    return names.removeprefix("SignedHeaders="), signed.signature


def test_the_suites_get_vanilla() -> None:
    assert signature(Signer(SUITE_ID, SUITE_KEY), Request("GET", b"/", [HOST], EMPTY_SHA256)) == (
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    )


def test_the_suites_get_vanilla_with_session_token() -> None:
    token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
    signer = Signer(SUITE_ID, SUITE_KEY, token)
    request = Request("GET", b"/", [HOST], EMPTY_SHA256)
    assert signature(signer, request) == (
        "host;x-amz-date;x-amz-security-token",
        "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    )
    assert signer.fields(request, SUITE)[0][1:] == [
        (b"X-Amz-Date", b"20150830T123600Z"),
        (b"X-Amz-Security-Token", token.encode()),
    ]


def test_the_suites_get_vanilla_query_order_key_case() -> None:
    request = Request("GET", b"/?Param2=value2&Param1=value1", [HOST], EMPTY_SHA256)
    expected = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    assert signature(Signer(SUITE_ID, SUITE_KEY), request)[1] == expected


def test_the_suites_post_x_www_form_urlencoded() -> None:
    payload = b"9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
    headers = [
        (b"Content-Type", b"application/x-www-form-urlencoded"),
        HOST,
        (b"Content-Length", b"13"),
        (b"X-Amz-Content-Sha256", payload),
    ]
    assert signature(Signer(SUITE_ID, SUITE_KEY), Request("POST", b"/", headers, payload)) == (
        "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    )


def test_the_example_of_the_s3_documents() -> None:
    headers = [
        (b"Host", b"examplebucket.s3.amazonaws.com"),
        (b"Range", b"bytes=0-9"),
        (b"X-Amz-Content-SHA256", EMPTY_SHA256),
    ]
    request = Request("GET", b"/test.txt", headers, EMPTY_SHA256)
    assert signature(Signer(DOCS_ID, DOCS_KEY), request, Stamp("20130524T000000Z", "us-east-1", "s3")) == (
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    )


def test_a_call_of_sqs_with_temporary_credentials() -> None:
    headers = [
        (b"host", b"sqs.us-east-1.amazonaws.com"),
        (b"Content-Type", b"application/x-amz-json-1.0"),
        (b"X-Amz-Target", b"AmazonSQS.SendMessage"),
    ]
    body = b'{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/q","MessageBody":"hi"}'
    payload = hashlib.sha256(body).hexdigest().encode()
    signer = Signer(DOCS_ID, DOCS_KEY, "FQoGZXIvYXdzEXAMPLE")
    stamp = Stamp("20130524T000000Z", "us-east-1", "sqs")
    assert signature(signer, Request("POST", b"/", headers, payload), stamp) == (
        "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
        "669f24f26ae9211f6183db9de1fb234f0a7969cf3dfa2a655056e2f450b4da04",
    )


def test_the_presigned_example_of_the_s3_documents() -> None:
    request = Request("GET", b"/test.txt", [(b"host", b"examplebucket.s3.amazonaws.com")], UNSIGNED)
    pairs = Signer(DOCS_ID, DOCS_KEY).presigned(request, Stamp("20130524T000000Z", "us-east-1", "s3"), 86400)
    assert pairs.decode().split("&") == [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        f"X-Amz-Credential={DOCS_ID}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request",
        "X-Amz-Date=20130524T000000Z",
        "X-Amz-Expires=86400",
        "X-Amz-SignedHeaders=host",
        "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    ]


def test_the_token_of_a_presigned_request_stands_in_the_query() -> None:
    request = Request("GET", b"/?a=1", [HOST], EMPTY_SHA256)
    pairs = Signer(SUITE_ID, SUITE_KEY, "a+b/c=").presigned(request, SUITE, 60).decode().split("&")
    assert pairs[5] == "X-Amz-Security-Token=a%2Bb%2Fc%3D"
    assert pairs[6].startswith("X-Amz-Signature=")


@pytest.mark.parametrize(
    ("path", "elsewhere", "s3"),
    [
        (b"", b"/", b"/"),
        (b"/", b"/", b"/"),
        (b"/a/b.c", b"/a/b.c", b"/a/b.c"),
        (b"/a/./b//c/", b"/a/b/c/", b"/a/./b//c/"),
        (b"/a/../../b", b"/b", b"/a/../../b"),
        (b"/a/..", b"/", b"/a/.."),
        (b"/a%20b", b"/a%2520b", b"/a%20b"),
        (b"/a+b:c", b"/a%2Bb%3Ac", b"/a%2Bb%3Ac"),
        (b"/%e2%82%ac~", b"/%25e2%2582%25ac~", b"/%e2%82%ac~"),
        (b"/a%2Fb", b"/a%252Fb", b"/a%2Fb"),
    ],
)
def test_only_s3_takes_the_path_as_it_is(path: bytes, elsewhere: bytes, s3: bytes) -> None:
    assert canonical_path(path, "lambda") == elsewhere
    assert canonical_path(path, "s3") == s3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", b""),
        (b"b=2&a=1&B=3", b"B=3&a=1&b=2"),
        (b"uploads", b"uploads="),
        (b"a=2&a=1&a", b"a=&a=1&a=2"),
        (b"prefix=a/b&k=x y", b"k=x%20y&prefix=a%2Fb"),
        (b"a=1+2&b=%2b", b"a=1%202&b=%2B"),
        (b"a=b=c", b"a=b%3Dc"),
        (b"&a=1&&", b"a=1"),
        (b"%7ea=%e2", b"~a=%E2"),
    ],
)
def test_a_query_is_sorted_and_encoded_in_one_way(query: bytes, expected: bytes) -> None:
    assert canonical_query(query) == expected


def test_headers_are_lowered_sorted_joined_and_trimmed() -> None:
    headers: Headers = [
        (b"X-B", b"  two   words "),
        (b"x-a", b"1"),
        (b"X-A", b"2"),
        (b"Empty", b""),
        (b"User-Agent", b"sdk"),
        (b"Expect", b"100-continue"),
        (b"traceparent", b"00-1"),
        (b"Authorization", b"dummy"),
    ]
    assert canonical_headers(headers) == (b"empty;x-a;x-b", b"empty:\nx-a:1,2\nx-b:two words\n")


def test_the_date_is_utc_without_punctuation() -> None:
    assert amz_date(1440938160.9) == "20150830T123600Z"


def test_many_regions_and_days_are_signed_as_the_first_one_was() -> None:
    signer, request = Signer(SUITE_ID, SUITE_KEY), Request("GET", b"/", [HOST], EMPTY_SHA256)
    first = signature(signer, request)
    others = {signature(signer, request, Stamp(SUITE.date, f"region-{n}", "service"))[1] for n in range(200)}
    assert len(others) == 200
    assert signature(signer, request) == first


def test_neither_key_nor_signer_shows_a_secret() -> None:
    signer = Signer(SUITE_ID, SUITE_KEY, "session-token")
    _, signed = signer.fields(Request("GET", b"/", [HOST], EMPTY_SHA256), SUITE)
    assert signed.key.hex() not in repr(signed)
    assert repr(signed.key) not in repr(signed)
    assert SUITE_KEY not in repr(signer)
