"""What settings mean is said in words, and the same words on every page."""

import pytest

from proxy.core.call import IDEMPOTENT
from proxy.core.profile import Idempotency, Reset
from proxy.core.secret import SecretRefs
from proxy.presets import Presets
from proxy.wording import SAFE_METHODS, few, key_place, keyed_calls, places_of, reset_of, secret_of
from tests.support.presets import profile, section


def test_a_reset_says_its_unit_and_when_it_counts() -> None:
    assert reset_of(Reset(header="Retry-After")) == "retry-after (seconds or a date)"
    assert reset_of(Reset(header="x", unit="epoch", when_zero="left")) == "x (unix seconds, when left is 0)"


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (Idempotency(), "header idempotency-key"),
        (Idempotency(header=None, field="id"), "body field id"),
        (Idempotency(header=None, query="id"), "query key id"),
        (Idempotency(header=None), ""),
    ],
)
def test_a_key_stands_in_one_place_or_in_none(key: Idempotency, place: str) -> None:
    assert key_place(key) == place


def test_a_key_decides_only_about_calls_that_are_not_safe_anyway() -> None:
    assert keyed_calls(Idempotency(methods=("POST", "PUT", "PATCH"))) == "POST, PATCH"
    assert keyed_calls(Idempotency(methods=("POST",), paths=("/a", "/b"))) == "POST to /a, /b"


def test_of_many_texts_the_number_is_told() -> None:
    assert few(["a", "b"]) == "a, b"
    assert few(str(number) for number in range(9)) == "9 paths such as 0"


def test_of_two_live_secrets_it_is_told_which_is_new() -> None:
    assert secret_of(SecretRefs.parse("env:A")) == "env:A"
    assert secret_of(SecretRefs.parse(["file:/new", "file:/old"])) == "file:/new (new), file:/old (old)"


def test_the_safe_methods_are_those_that_are_retried() -> None:
    assert frozenset(SAFE_METHODS) == IDEMPOTENT - {"TRACE"}


@pytest.mark.parametrize("name", [name for name in Presets().names if name not in ("apns", "mock", "sdi")])
def test_every_credential_of_the_catalogue_says_where_it_goes(name: str) -> None:
    assert all(place.partition(" ")[2] for place in places_of(section(name, "credential"), profile(name)))
    assert places_of(section(name, "credential"), profile(name))
