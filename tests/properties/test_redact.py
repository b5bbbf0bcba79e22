"""Whatever the secret, the text around it and the way it is written: it never gets out."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import orjson
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.secret import MASK
from proxy.sansio.redact import Redactor

# No brackets: a secret that begins or ends like the mask could be made anew by the mask and its neighbours.
SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=6, max_size=64).filter(
    lambda text: text not in MASK
)
TEXTS = st.text(st.characters(codec="utf-8"))
USERS = st.text(st.characters(codec="utf-8"), max_size=12)

Encode = Callable[[str], str]
ENCODINGS: list[Encode] = [
    str,
    lambda text: orjson.dumps(text).decode()[1:-1],
    lambda text: json.dumps(text)[1:-1],
    lambda text: quote(text, safe=""),
    quote,
    quote_plus,
    lambda text: quote(text, safe="!*'()"),
    lambda text: quote(text, safe="!$&'()*+,;=:@"),
    html.escape,
    lambda text: repr(text)[1:-1],
    lambda text: repr(text.encode())[2:-1],
]


@given(SECRETS, TEXTS, TEXTS, st.sampled_from(ENCODINGS))
def test_a_secret_never_survives_in_plain_output(secret: str, before: str, after: str, encode: Encode) -> None:
    redactor = Redactor()
    redactor.know(secret)
    written = encode(secret)
    clean = redactor.redact_text(before + written + after)
    assert secret not in clean
    assert written not in clean
    assert MASK in clean


@given(SECRETS, TEXTS, TEXTS, st.sampled_from(ENCODINGS))
def test_a_secret_never_survives_in_a_json_line(secret: str, before: str, after: str, encode: Encode) -> None:
    redactor = Redactor()
    redactor.know(secret)
    written = encode(secret)
    line = orjson.dumps({"error": before + written + after})
    clean = redactor.redact(line)
    assert orjson.dumps(written)[1:-1] not in clean
    assert secret.encode() not in clean
    assert MASK.encode() in clean


@given(SECRETS, USERS, TEXTS, TEXTS, st.sampled_from([b64encode, urlsafe_b64encode]))
def test_a_secret_never_survives_in_a_basic_credential(
    secret: str, user: str, before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    redactor = Redactor()
    redactor.know(secret)
    pair = encode(f"{user}:{secret}".encode()).decode()
    clean = redactor.redact_text(f"{before} {pair} {after}")
    assert pair not in clean
    assert secret not in clean
    assert MASK in clean


@given(SECRETS, SECRETS, TEXTS)
def test_two_secrets_never_survive_side_by_side(first: str, second: str, between: str) -> None:
    redactor = Redactor()
    redactor.know(first)
    redactor.know(second)
    clean = redactor.redact_text(first + between + second + first)
    assert first not in clean
    assert second not in clean


@given(TEXTS)
def test_text_without_a_secret_is_unchanged(text: str) -> None:
    redactor = Redactor()
    redactor.know("sk_test_example_that_nobody_writes")
    assert redactor.redact_text(text) == text
    line = orjson.dumps({"text": text})
    assert redactor.redact(line) is line
