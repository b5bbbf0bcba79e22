"""Our signatures equal those of AWS's own SDK, for whatever is signed at the same instant."""

import datetime as dt
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.call import Headers
from proxy.sansio.sigv4 import UNSIGNED, Request, Signer, Stamp

INSTANT = dt.datetime(2015, 8, 30, 12, 36, tzinfo=dt.UTC)
DATE = "20150830T123600Z"
HOST = "service.example.com"

texts = st.text(st.characters(codec="utf-8"), max_size=12)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
names = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=12).map("X-".__add__)
values = st.text(string.ascii_letters + string.digits + " ,;=/+%\t", max_size=20)
headers = st.lists(st.tuples(names, values), max_size=5, unique_by=lambda pair: pair[0].lower())
words = st.text(string.ascii_letters + string.digits + "/+=", min_size=1, max_size=40)
tokens = st.none() | words
# As SDKs send them: encoded once, keys of S3 with every slash and dot that they have.
segments = st.sampled_from(["", ".", "..", "a.b"]) | texts.map(lambda text: quote(text, safe="~"))
paths = st.lists(segments, max_size=5).map(lambda parts: "/" + "/".join(parts))
queries = st.lists(st.tuples(texts, texts), max_size=5)


@pytest.fixture(scope="module", autouse=True)
def _instant() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: INSTANT)
        yield


def encoded(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in pairs)


def raw(fields: list[tuple[str, str]]) -> Headers:
    return [(b"host", HOST.encode()), *[(name.encode(), value.encode()) for name, value in fields]]


def by_botocore(signer: type[Any], key: tuple[str, str, str | None], service: str, request: AWSRequest) -> AWSRequest:
    signer(Credentials(*key), service, "eu-west-1").add_auth(request)
    return request


@settings(max_examples=300)
@given(methods, paths, queries, headers, st.binary(max_size=50), tokens, words, st.sampled_from(["lambda", "s3"]))
def test_the_authorization_header_is_the_sdks(
    method: str,
    path: str,
    query: list[tuple[str, str]],
    fields: list[tuple[str, str]],
    body: bytes,
    token: str | None,
    secret: str,
    service: str,
) -> None:
    target = f"{path}?{encoded(query)}" if query else path
    signing = {"lambda": auth.SigV4Auth, "s3": auth.S3SigV4Auth}[service]
    theirs = AWSRequest(method, f"https://{HOST}{target}", dict(fields), body)
    by_botocore(signing, ("AKEXAMPLE", secret, token), service, theirs)
    payload = signing(None, service, "eu-west-1").payload(theirs).encode()
    sent = raw(fields) if service != "s3" else [*raw(fields), (b"X-Amz-Content-Sha256", payload)]

    signer = Signer("AKEXAMPLE", secret, token)
    made, _ = signer.fields(Request(method, target.encode(), sent, payload), Stamp(DATE, "eu-west-1", service))

    assert made[0] == (b"Authorization", theirs.headers["Authorization"].encode())


@settings(max_examples=200)
@given(methods, paths, queries, headers, tokens, words, st.sampled_from(["sts", "s3"]))
def test_a_presigned_query_is_the_sdks(
    method: str,
    path: str,
    query: list[tuple[str, str]],
    fields: list[tuple[str, str]],
    token: str | None,
    secret: str,
    service: str,
) -> None:
    # The SDK keeps one pair of a name, and drops what has none.
    target = f"{path}?{encoded(list(dict(query).items()))}" if query else path
    signing = {"sts": auth.SigV4QueryAuth, "s3": auth.S3SigV4QueryAuth}[service]
    theirs = AWSRequest(method, f"https://{HOST}{target}", dict(fields))
    payload = UNSIGNED if service == "s3" else signing(None, service, "eu-west-1").payload(theirs).encode()
    by_botocore(signing, ("AKEXAMPLE", secret, token), service, theirs)

    ours = Signer("AKEXAMPLE", secret, token).presigned(
        Request(method, target.encode(), raw(fields), payload), Stamp(DATE, "eu-west-1", service), 3600
    )

    assert urlsplit(theirs.url).query.removesuffix(ours.decode()).rstrip("&") == target.partition("?")[2]
