"""The chunk signatures of AWS's documents, in whatever pieces the body arrives."""

import pytest

from proxy.core.errors import BadRequest, BodyTooLarge
from proxy.sansio.aws_chunked import MOST_CHUNK_BYTES, SIGNED_PAYLOADS, ChunkSigner
from proxy.sansio.sigv4 import Request, Signed, Signer, Stamp

# The keys of AWS's published examples, put together here so that no scanner takes them for real ones.
ACCESS_KEY, SECRET_KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/" + "K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
STAMP = Stamp("20130524T000000Z", "us-east-1", "s3")
DUMMY = "0" * 64
DUMMIES = [DUMMY] * 3
PLAIN = [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
]
TRAILING = [
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
]
TRAILER = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"


def seed(payload: bytes, *extra: tuple[bytes, bytes]) -> Signed:
    """Sign the head of the documents' example: 66,560 bytes in chunks of 64 KiB."""
    headers = [
        (b"Host", b"s3.amazonaws.com"),
        (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
        (b"Content-Encoding", b"aws-chunked"),
        (b"x-amz-decoded-content-length", b"66560"),
        (b"x-amz-content-sha256", payload),
        *extra,
    ]
    request = Request("PUT", b"/examplebucket/chunkObject.txt", headers, payload)
    return Signer(ACCESS_KEY, SECRET_KEY).fields(request, STAMP)[1]


def plain_seed() -> Signed:
    return seed(SIGNED_PAYLOADS[0], (b"Content-Length", b"66824"))


def trailing_seed() -> Signed:
    return seed(SIGNED_PAYLOADS[1], (b"x-amz-trailer", b"x-amz-checksum-crc32c"))


def body(signatures: list[str], end: bytes = b"\r\n") -> bytes:
    first, second, last = signatures
    chunks = ((b"10000", first, b"a" * 65536 + b"\r\n"), (b"400", second, b"a" * 1024 + b"\r\n"), (b"0", last, b""))
    return b"".join([b"%b;chunk-signature=%b\r\n%b" % (size, sig.encode(), data) for size, sig, data in chunks]) + end


def trailers(signature: str, newline: bytes = b"\r\n") -> bytes:
    checksum = b"x-amz-checksum-crc32c:sOO8/Q==" + newline
    return checksum + b"x-amz-trailer-signature:" + signature.encode() + b"\r\n\r\n"


def resigned(signed: Signed, data: bytes, step: int) -> bytes:
    signer = ChunkSigner(signed)
    out = b"".join([signer.feed(data[at : at + step]) for at in range(0, len(data), step)])
    signer.end()
    return out


def test_the_head_of_each_example_has_the_signature_of_the_documents() -> None:
    assert plain_seed().signature == "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    assert trailing_seed().signature == "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"


@pytest.mark.parametrize("step", [10**9, 4096, 1021, 7])
def test_chunks_are_signed_as_in_the_documents(step: int) -> None:
    assert resigned(plain_seed(), body(DUMMIES), step) == body(PLAIN)


@pytest.mark.parametrize("step", [10**9, 1021, 7])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n\r\n"])
def test_trailers_are_signed_as_in_the_documents(step: int, newline: bytes) -> None:
    sent = body(DUMMIES, trailers(DUMMY, newline))
    assert resigned(trailing_seed(), sent, step) == body(TRAILING, trailers(TRAILER, newline))


def test_what_is_complete_goes_out_at_once() -> None:
    signer = ChunkSigner(plain_seed())
    sent, expected = body(DUMMIES), body(PLAIN)
    end_of_first = sent.index(b"400;")
    assert signer.feed(sent[: end_of_first - 1]) == b""
    assert signer.feed(sent[end_of_first - 1 : end_of_first]) == expected[:end_of_first]


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"5\r\nhello\r\n",
        b"5;chunk-signature=short\r\nhello\r\n",
        b"-5;chunk-signature=" + DUMMY.encode() + b"\r\n",
        b"4;chunk-signature=" + DUMMY.encode() + b"\r\nhello\r\n",
        b"x" * 2000,
        b"0;chunk-signature=" + DUMMY.encode() + b"\r\n" + b"x-amz-checksum-crc32:a\r\n" * 40,
        b"0;chunk-signature=" + DUMMY.encode() + b"\r\n" + b"x" * 2000,
    ],
)
def test_a_body_of_another_kind_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="X-Amz-Content-Sha256 announces"):
        ChunkSigner(plain_seed()).feed(data)


@pytest.mark.parametrize("cut", [1, 40, 90, 30_000, -100, -90, -3, -2])
def test_a_body_that_is_cut_short_is_told_apart_from_a_whole_one(cut: int) -> None:
    with pytest.raises(BadRequest, match="ends before its last line"):
        resigned(plain_seed(), body(DUMMIES)[:cut], 10**9)


def test_nothing_may_follow_the_last_line() -> None:
    with pytest.raises(BadRequest, match="goes on after it"):
        resigned(plain_seed(), body(DUMMIES) + b"more", 10**9)


def test_a_chunk_that_is_too_large_to_hold_is_refused_before_it_comes() -> None:
    line = b"%x;chunk-signature=%b\r\n"
    ChunkSigner(plain_seed()).feed(line % (MOST_CHUNK_BYTES, DUMMY.encode()))
    with pytest.raises(BodyTooLarge, match="smaller chunk size"):
        ChunkSigner(plain_seed()).feed(line % (MOST_CHUNK_BYTES + 1, DUMMY.encode()))
