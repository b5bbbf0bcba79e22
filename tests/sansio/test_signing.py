import base64
import email.utils
import hashlib
import hmac

import pytest

from proxy.sansio.signing import (
    PARTS,
    Clock,
    Encoding,
    Hash,
    KeyEncoding,
    Material,
    Template,
    decode_key,
    digest,
    encode,
    http_date,
    write_time,
)

KNOWN = frozenset(PARTS) | {"secret"}
MATERIAL = Material(
    method=b"POST",
    target=b"/v1/a%2Fb?x=1&y=2",
    host=b"api.example.com",
    headers=[(b"Content-Type", b"application/json"), (b"X-Twice", b"1"), (b"x-twice", b"2")],
    body=b"hello",
    timestamp=b"1517230800",
    nonce=b"00ff",
)


def filled(text: str, *, quoted: bool = False) -> str:
    return Template(text, KNOWN, quoted=quoted).fill(MATERIAL, {"secret": b"s3cr&t"}).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain é", "plain é"),
        ("{secret}{timestamp}", "s3cr&t1517230800"),
        ("{method} {path}", "POST /v1/a%2Fb"),
        ("{query}|{target}", "x=1&y=2|/v1/a%2Fb?x=1&y=2"),
        ("{host}\n{nonce}", "api.example.com\n00ff"),
        ("{body}", "hello"),
        ("{body_sha256}", hashlib.sha256(b"hello").hexdigest()),
        ("{body_md5}", "5d41402abc4b2a76b9719d911017c592"),
        ("{header:content-type}", "application/json"),
        ("{header:X-Twice}", "1"),
        ("[{header:X-None}]", "[]"),
        ('{{"t":{timestamp}}}', '{"t":1517230800}'),
    ],
)
def test_a_template_is_filled_with_what_is_sent(text: str, expected: str) -> None:
    assert filled(text) == expected


def test_a_quoted_template_is_percent_encoded_all_over() -> None:
    assert filled("a b/{secret}", quoted=True) == "a%20b%2Fs3cr%26t"


def test_a_template_tells_which_names_it_holds() -> None:
    assert Template("{secret}:{body}:{header:Date}:{{x}}", KNOWN).names == {"secret", "body", "header:Date"}


@pytest.mark.parametrize("name", ["Timestamp", "", "signature", "header:", "secret ", "body_sha1"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"unknown name .*: write one of body, .*secret, target, timestamp, header:NAME"
    ):
        Template(f"{{{name}}}", KNOWN)


@pytest.mark.parametrize("text", ["{", "}", "{secret", "secret}", "{{{secret", "{a{secret}}"])
def test_a_stray_brace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"brace|unknown name"):
        Template(text, KNOWN)


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256", "sha512"])
def test_without_a_key_the_hash_is_plain_and_with_one_a_mac(kind: Hash) -> None:
    assert digest(kind, None, b"message") == hashlib.new(kind, b"message").digest()
    assert digest(kind, b"key", b"message") == hmac.new(b"key", b"message", kind).digest()
    assert digest(kind, b"", b"message") == hmac.new(b"", b"message", kind).digest()


@pytest.mark.parametrize(("encoding", "text"), [("hex", b"fbff"), ("base64", b"+/8="), ("base64url", b"-_8=")])
def test_a_signature_is_written_as_the_provider_wants_it(encoding: Encoding, text: bytes) -> None:
    assert encode(encoding, b"\xfb\xff") == text


@pytest.mark.parametrize(
    ("encoding", "text"), [("text", "kéy"), ("base64", base64.b64encode("kéy".encode()).decode()), ("hex", "6bc3a979")]
)
def test_a_key_is_read_as_it_is_written(encoding: KeyEncoding, text: str) -> None:
    assert decode_key(encoding, text) == "kéy".encode()


@pytest.mark.parametrize(("encoding", "text"), [("base64", "not*base64"), ("base64", "abc"), ("hex", "xyz")])
def test_a_key_that_is_written_otherwise_is_refused_without_being_repeated(encoding: KeyEncoding, text: str) -> None:
    with pytest.raises(ValueError, match=f"^is not {encoding}$"):
        decode_key(encoding, text)


@pytest.mark.parametrize(
    ("clock", "text"),
    [
        ("unix", "1517230800"),
        ("unix_ms", "1517230800750"),
        ("rfc3339", "2018-01-29T13:00:00Z"),
        ("http_date", "Mon, 29 Jan 2018 13:00:00 GMT"),
    ],
)
def test_a_time_is_written_as_the_provider_wants_it(clock: Clock, text: str) -> None:
    assert write_time(clock, 1517230800.75) == text


def test_an_http_date_is_the_standard_librarys() -> None:
    for wall in range(0, 2_000_000_000, 86_400 * 17 + 3_661):
        assert http_date(wall) == email.utils.formatdate(wall, usegmt=True)
