import hashlib
import hmac
import re
from base64 import b64encode
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import ValidationError

from proxy.core.call import Call, WholeBody
from proxy.core.errors import BodyTooLarge, CredentialMissing
from proxy.core.runtime import Runtime
from proxy.core.secret import Secret, SecretRef, SecretSlot
from proxy.credentials.hmac import MOST_BODY_BYTES, Hmac
from tests.support.schemes import call_of, injected, slots_of
from tests.support.script import make_runtime

SECRETS = {"env:KEY": "key-example", "env:SECRET": "secret-example"}
HOTELBEDS = {
    "secrets": {"api_key": "env:KEY", "secret": "env:SECRET"},
    "message": "{api_key}{secret}{timestamp}",
    "headers": {"Api-key": "{api_key}", "X-Signature": "{signature}"},
}


def runtime(at: float = 1517230800.0, base_path: bytes = b"") -> Runtime:
    return replace(make_runtime(), wall=lambda: at, base_path=base_path)


def scheme(settings: dict[str, Any], secrets: dict[str, str] = SECRETS, surroundings: Runtime | None = None) -> Hmac:
    config = Hmac.Config.model_validate({"scheme": "hmac", **settings})
    return Hmac(config, slots_of(secrets), surroundings or runtime())


def signed(message: str, call: Call, **settings: Any) -> str:
    """Return the message as it was signed: a plain hash can be looked up."""
    recipe = {"secrets": {"s": "env:SECRET"}, "message": message + "{s}", "headers": {"X-Sig": "{signature}"}}
    return dict(injected(scheme(recipe | settings), call).headers)[b"X-Sig"].decode()


def sha256(text: bytes) -> str:
    return hashlib.sha256(text + b"secret-example").hexdigest()


def test_the_vector_of_hotelbeds() -> None:
    secrets = {"env:KEY": "yourApiKey", "env:SECRET": "yourSecret"}
    sent = injected(scheme(HOTELBEDS, secrets), call_of(b"/hotel-api/1.0/status", [(b"Accept", b"*/*")]))
    assert sent.headers == [
        (b"Accept", b"*/*"),
        (b"Api-key", b"yourApiKey"),
        (b"X-Signature", b"a71ed95ea77d88c4d7d2fdb1fb2ef2c18241d5c1fe04e07f4823f0fc27777cf3"),
    ]
    assert sent.target == b"/hotel-api/1.0/status"


def test_the_vector_of_the_appsecret_proof() -> None:
    settings = {
        "secrets": {"app_secret": "env:SECRET", "token": "env:KEY"},
        "message": "{token}",
        "key": "app_secret",
        "headers": {"Authorization": "Bearer {token}"},
        "query": {"appsecret_proof": "{signature}"},
    }
    secrets = {"env:SECRET": "app_secret", "env:KEY": "access_token"}
    sent = injected(scheme(settings, secrets), call_of(b"/v20.0/me?fields=id&appsecret_proof=mine"))
    proof = b"d52ddf968d622d8af8677906b7fbae09ac1f89f7cd5c1584b27544624cc23e5a"
    assert sent.target == b"/v20.0/me?fields=id&appsecret_proof=" + proof
    assert sent.headers == [(b"Authorization", b"Bearer access_token")]


def test_a_recipe_over_the_body_as_cloudinary_signs_its_notifications() -> None:
    settings = {
        "secrets": {"secret": "env:SECRET"},
        "message": "{body}{timestamp}{secret}",
        "hash": "sha1",
        "headers": {"X-Cld-Timestamp": "{timestamp}", "X-Cld-Signature": "{signature}"},
    }
    secrets = {"env:SECRET": "X7qLTrsES31M" + "zxxkxPPA-pAGGfU"}
    call = call_of(method="POST", body=WholeBody(b'{"notification_type":"eager"}'))
    assert injected(scheme(settings, secrets, runtime(1549533574)), call).headers == [
        (b"X-Cld-Timestamp", b"1549533574"),
        (b"X-Cld-Signature", b"f921132f37761298b030e5cf84bf5d0f20826ace"),
    ]


def test_what_the_caller_put_there_is_replaced_at_its_place() -> None:
    headers = [(b"Accept", b"*/*"), (b"x-signature", b"mine"), (b"API_KEY", b"mine"), (b"X-Last", b"1")]
    sent = injected(scheme(HOTELBEDS), call_of(headers=headers))
    assert [name for name, _ in sent.headers] == [b"Accept", b"Api-key", b"X-Signature", b"X-Last"]
    assert b"mine" not in dict(sent.headers).values()


def test_every_attempt_is_signed_anew() -> None:
    now = [1517230800.0]
    signing = scheme(HOTELBEDS, surroundings=replace(runtime(), wall=lambda: now[0]))
    first = injected(signing, call_of())
    now[0] += 1
    assert injected(signing, call_of()).headers[1] != first.headers[1]


def test_a_nonce_is_never_used_twice_and_is_the_one_that_is_signed() -> None:
    settings = {
        "secrets": {"s": "env:SECRET"},
        "message": "{nonce}{s}",
        "headers": {"X-Nonce": "{nonce}", "X-Sig": "{signature}"},
    }
    signing = scheme(settings)
    seen = set()
    for _ in range(10):
        (_, nonce), (_, signature) = injected(signing, call_of()).headers
        assert re.fullmatch(rb"[0-9a-f]{32}", nonce)
        assert signature.decode() == sha256(nonce)
        seen.add(nonce)
    assert len(seen) == 10


def test_the_path_of_the_provider_and_the_query_of_the_caller_are_signed() -> None:
    settings = {"query": {"sig": "{signature}"}, "headers": {}}
    recipe = {"secrets": {"s": "env:SECRET"}, "message": "{method} {target} {host}{s}"} | settings
    call = call_of(b"/things?a=%7e&sig=mine")
    sent = injected(scheme(recipe, surroundings=runtime(base_path=b"/base")), call)
    assert sent.target == b"/things?a=%7e&sig=" + sha256(b"GET /base/things?a=%7e api.example.com").encode()


def test_headers_are_signed_without_the_callers_credentials() -> None:
    headers = [(b"Content-Type", b"text/plain"), (b"Authorization", b"Bearer mine")]
    text = "{header:content-type}|{header:authorization}|"
    assert signed(text, call_of(headers=headers)) == sha256(b"text/plain||")


def test_query_values_are_percent_encoded() -> None:
    settings = {
        "secrets": {"s": "env:SECRET"},
        "message": "{s}",
        "hash": "md5",
        "encoding": "base64",
        "timestamp": "http_date",
        "query": {"date": "{timestamp}", "sig": "{signature}"},
    }
    sent = injected(scheme(settings), call_of(b"/"))
    assert parse_qsl(sent.target.decode().partition("?")[2], strict_parsing=True) == [
        ("date", "Mon, 29 Jan 2018 13:00:00 GMT"),
        ("sig", b64encode(hashlib.md5(b"secret-example", usedforsecurity=False).digest()).decode()),
    ]
    assert b" " not in sent.target


@pytest.mark.parametrize(
    ("encoding", "text", "key"),
    [("text", "abcd", b"abcd"), ("hex", "abcd", b"\xab\xcd"), ("base64", "abcd", b"i\xb7\x1d")],
)
def test_the_key_of_the_mac_is_read_as_it_is_written(encoding: str, text: str, key: bytes) -> None:
    settings = {
        "secrets": {"k": "env:KEY"},
        "message": "m",
        "key": "k",
        "key_encoding": encoding,
        "headers": {"X-Sig": "{signature}"},
    }
    sent = injected(scheme(settings, {"env:KEY": text}), call_of())
    assert sent.headers == [(b"X-Sig", hmac.new(key, b"m", "sha256").hexdigest().encode())]


def test_a_key_that_is_written_otherwise_is_told_without_being_shown() -> None:
    settings = {
        "secrets": {"k": "env:KEY"},
        "message": "m",
        "key": "k",
        "key_encoding": "base64",
        "headers": {"X-Sig": "{signature}"},
    }
    with pytest.raises(CredentialMissing, match="env:KEY is not base64") as caught:
        injected(scheme(settings), call_of())
    assert "key-example" not in caught.value.detail


def test_it_waits_for_the_body_only_when_that_is_signed() -> None:
    assert scheme(HOTELBEDS).waits is False
    for name in ("body", "body_sha256", "body_md5"):
        recipe = {"secrets": {"s": "env:SECRET"}, "message": f"{{{name}}}{{s}}", "headers": {"X-Sig": "{signature}"}}
        assert scheme(recipe).waits is True


def test_a_body_that_is_too_large_to_sign_is_refused() -> None:
    class Arriving(WholeBody):
        def __init__(self) -> None:
            super().__init__(b"")
            self.whole = None  # type: ignore[assignment]  # a body that is still coming

        async def chunks(self) -> Any:
            yield b"x" * MOST_BODY_BYTES
            yield b"x"

    with pytest.raises(BodyTooLarge):
        signed("{body}", call_of(body=Arriving()))


def test_a_new_secret_signs_the_next_attempt() -> None:
    slots = {ref: SecretSlot(SecretRef.parse(ref)) for ref in SECRETS}
    config = Hmac.Config.model_validate({"scheme": "hmac", **HOTELBEDS})
    signing = Hmac(config, lambda refs: slots[str(refs)], runtime())
    with pytest.raises(CredentialMissing, match="env:KEY"):
        injected(signing, call_of())
    slots["env:KEY"].put(Secret("a"))
    slots["env:SECRET"].put(Secret("b"))
    assert dict(injected(signing, call_of()).headers)[b"X-Signature"] == sha(b"ab1517230800")
    slots["env:SECRET"].put(Secret("c"))
    assert dict(injected(signing, call_of()).headers)[b"X-Signature"] == sha(b"ac1517230800")


def sha(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"message": "{apikey}{secret}"}, r"message: unknown name \{apikey\}: write one of api_key, body, "),
        ({"message": "{signature}"}, r"message: unknown name \{signature\}"),
        ({"headers": {"X-Signature": "{sig}"}}, r"headers\.X-Signature: unknown name"),
        ({"query": {"q": "{"}}, r"query\.q: a brace without its partner"),
        ({"headers": {"X-Signature": "{body}{signature}"}}, r"headers\.X-Signature: unknown name \{body\}"),
        ({"headers": {"X-Signature": "a\r\nb: {signature}"}}, r"headers\.X-Signature: a control character"),
        ({"headers": {"X-Signature": "{api_key}"}}, "the signature goes nowhere"),
        ({"key": "other"}, "key must be the name of a secret: one of api_key, secret"),
        ({"message": "{api_key}"}, "the secret secret is used nowhere"),
        ({"secrets": {"body": "env:KEY"}}, "body has a meaning of its own"),
        ({"secrets": {}}, "at least 1"),
        ({"secrets": {"api-key": "env:KEY"}}, "should match pattern"),
        ({"headers": {"Host": "{signature}"}}, "frames or routes the message"),
        ({"query": {"a b": "{signature}"}}, "should match pattern"),
        ({"hash": "crc32"}, "md5"),
    ],
)
def test_a_recipe_that_cannot_work_is_a_configuration_error(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        scheme(HOTELBEDS | change)


def test_it_tells_people_where_the_credential_goes() -> None:
    assert scheme(HOTELBEDS | {"query": {"sig": "{signature}"}}).places == (
        "header Api-key",
        "header X-Signature",
        "query sig",
    )
