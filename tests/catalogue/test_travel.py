"""Travel: Hotelbeds."""

import hashlib

import pytest

from proxy.core.outcome import Outcome
from tests.support.presets import may_repeat, profile, sent, verdict
from tests.support.schemes import call_of
from tests.support.script import WALL
from tests.support.virtual import START

KEYS = {"HOTELBEDS_API_KEY": "key-example", "HOTELBEDS_SECRET": "test-example"}


def test_the_signature_is_the_plain_hash_of_key_secret_and_seconds() -> None:
    call = call_of(b"/hotel-api/1.0/status", [(b"Api-key", b"placeholder"), (b"X-Signature", b"00")])
    signature = hashlib.sha256(f"key-exampletest-example{int(WALL + START)}".encode()).hexdigest()
    assert sent("hotelbeds", call, KEYS).headers == [
        (b"Api-key", b"key-example"),
        (b"X-Signature", signature.encode()),
    ]


@pytest.mark.parametrize(
    ("status", "outcome"), [(403, Outcome.REFUSED), (429, Outcome.THROTTLED), (500, Outcome.FAILED)]
)
def test_a_403_which_may_be_quota_or_key_stays_the_callers(status: int, outcome: Outcome) -> None:
    assert verdict("hotelbeds", status) is outcome


def test_a_booking_is_made_once() -> None:
    call = call_of(b"/hotel-api/1.0/bookings", [(b"Idempotency-Key", b"1")], "POST")
    assert not may_repeat("hotelbeds", call)


def test_the_sandbox_is_another_host() -> None:
    assert profile("hotelbeds").hosts == {"test": "https://api.test.hotelbeds.com"}
