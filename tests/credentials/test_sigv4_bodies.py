"""What the scheme `sigv4` signs of a body, and when it has to read it."""

import hashlib
from collections.abc import AsyncIterator

import pytest

from proxy.core.call import Body, Call, WholeBody
from proxy.core.errors import BadRequest, BodyTooLarge
from proxy.credentials.sigv4 import MOST_BODY_BYTES
from proxy.sansio.aws_chunked import SIGNED_PAYLOADS, ChunkSigner
from proxy.sansio.sigv4 import UNSIGNED, Request, Signer, Stamp
from tests.support.aws import DATE, DUMMY, HOST, authorization, expected, scheme, sdk_call
from tests.support.schemes import injected
from tests.support.virtual import run


class Arriving(Body):
    """A body that comes in pieces."""

    whole = None

    def __init__(self, *pieces: bytes, again: bool = True) -> None:
        self.length = sum(map(len, pieces))
        self._pieces = pieces
        self._again = again

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    def can_replay(self) -> bool:
        return self._again


async def read(body: Body) -> bytes:
    return b"".join([piece async for piece in body.chunks()])


@pytest.mark.parametrize("told", [UNSIGNED, b"STREAMING-UNSIGNED-PAYLOAD-TRAILER", b"ab" * 32])
def test_s3_trusts_what_the_caller_says_of_its_body(told: bytes) -> None:
    body = Arriving(b"5\r\nhello\r\n", b"0\r\nx-amz-checksum-crc32:a\r\n\r\n")
    sent = injected(scheme(), sdk_call(extra=[(b"x-amz-content-sha256", told)], method="PUT", body=body))
    assert sent.body is body
    assert authorization(sent) == expected(sent, "s3", told)


def test_an_s3_body_of_which_nothing_is_said_is_hashed_when_it_is_here_and_unsigned_when_it_is_not() -> None:
    digest = hashlib.sha256(b"hello").hexdigest().encode()
    whole = injected(scheme(), sdk_call(method="PUT", body=WholeBody(b"hello")))
    assert (b"X-Amz-Content-Sha256", digest) in whole.headers
    assert authorization(whole) == expected(whole, "s3", digest)
    body = Arriving(b"hel", b"lo")
    arriving = injected(scheme(), sdk_call(method="PUT", body=body))
    assert arriving.body is body
    assert (b"X-Amz-Content-Sha256", UNSIGNED) in arriving.headers
    assert authorization(arriving) == expected(arriving, "s3", UNSIGNED)


def test_for_other_services_the_whole_body_is_read_and_hashed() -> None:
    call = sdk_call("sqs", b"/", method="POST", body=Arriving(b'{"a"', b":1}"))
    sent = injected(scheme(), call)
    assert sent.body.whole == call.body.whole == b'{"a":1}'
    assert authorization(sent) == expected(sent, "sqs", hashlib.sha256(b'{"a":1}').hexdigest().encode())


def test_a_hash_that_the_caller_gives_saves_reading_the_body_for_any_service() -> None:
    body = Arriving(b"{}")
    told = (b"X-Amz-Content-Sha256", hashlib.sha256(b"{}").hexdigest().encode())
    sent = injected(scheme(), sdk_call("lambda", b"/", extra=[told], method="POST", body=body))
    assert sent.body is body
    assert authorization(sent) == expected(sent, "lambda", told[1])


def test_a_body_that_is_too_large_to_hash_is_refused() -> None:
    body = Arriving(b"x" * MOST_BODY_BYTES, b"x")
    with pytest.raises(BodyTooLarge):
        injected(scheme(), sdk_call("sqs", b"/", method="POST", body=body))


@pytest.mark.parametrize("told", [b"abc", b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", b""])
def test_an_unknown_way_to_sign_a_body_is_refused(told: bytes) -> None:
    with pytest.raises(BadRequest, match="X-Amz-Content-Sha256"):
        injected(scheme(), sdk_call(extra=[(b"x-amz-content-sha256", told)]))


def chunked(*signatures: str) -> bytes:
    first, last = (signature.encode() for signature in signatures)
    return b"5;chunk-signature=" + first + b"\r\nhello\r\n0;chunk-signature=" + last + b"\r\n\r\n"


def chunked_by_key(sent: Call, told: bytes) -> bytes:
    """Return the body with the signatures that the provider computes."""
    made = {b"Authorization", b"X-Amz-Date"}
    headers = [HOST, *[pair for pair in sent.headers if pair[0] not in made]]
    request = Request(sent.method, sent.target, headers, told)
    _, seed = Signer("AKEXAMPLE", "aws-key-example").fields(request, Stamp(DATE, "eu-west-1", "s3"))
    return ChunkSigner(seed).feed(chunked(DUMMY, DUMMY))


@pytest.mark.parametrize("told", SIGNED_PAYLOADS)
@pytest.mark.parametrize(
    "body",
    [
        WholeBody(chunked(DUMMY, DUMMY)),
        Arriving(*[bytes([byte]) for byte in chunked(DUMMY, DUMMY)]),
        Arriving(chunked(DUMMY, DUMMY), again=False),
    ],
)
def test_a_body_signed_in_chunks_is_signed_anew_and_stays_as_long(told: bytes, body: Body) -> None:
    call = sdk_call(extra=[(b"x-amz-content-sha256", told)], method="PUT", body=body)
    sent = injected(scheme(), call)
    again = injected(scheme(), call)
    data = run(read(sent.body))
    assert data == run(read(again.body)) == chunked_by_key(sent, told)
    assert DUMMY.encode() not in data
    assert (sent.body.length, sent.body.can_replay()) == (body.length, body.can_replay())
    assert len(data) == body.length


@pytest.mark.parametrize("told", SIGNED_PAYLOADS)
def test_a_presigned_url_with_a_body_signed_in_chunks_is_refused_with_what_to_do(told: bytes) -> None:
    call = sdk_call(extra=[(b"x-amz-content-sha256", told)], method="PUT", body=WholeBody(chunked(DUMMY, DUMMY)))
    call.target += b"?X-Amz-Expires=900&X-Amz-Signature=" + DUMMY.encode()
    with pytest.raises(BadRequest, match=r"presigned URL .* in chunks: send it plain, .* or let the SDK sign in the"):
        injected(scheme(), call)


def test_a_broken_body_of_chunks_fails_when_it_is_read() -> None:
    call = sdk_call(
        extra=[(b"x-amz-content-sha256", SIGNED_PAYLOADS[0])], method="PUT", body=Arriving(chunked(DUMMY, DUMMY)[:-9])
    )
    with pytest.raises(BadRequest, match="ends before its last line"):
        run(read(injected(scheme(), call).body))
