"""What headers say about waiting, in all the ways in which providers write it."""

from typing import Literal

import pytest

from proxy.core.profile import Profile, Reset
from proxy.sansio.hints import Hints

WALL = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110
WALL_MIDNIGHT = 1_799_971_200.0  # 2027-01-15
PLAIN = Hints(Profile())


def wait_of(unit: str, value: str) -> float | None:
    hints = Hints(Profile.model_validate({"resets": [{"header": "X-Reset", "unit": unit}]}))
    return hints.wait_s([(b"x-reset", value.encode())], WALL)


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("120", 120.0),
        (" 2 ", 2.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("Sunday, 06-Nov-94 08:50:07 GMT", 30.0),
        ("Sun Nov  6 08:50:07 1994", 30.0),
        ("Sun, 06 Nov 1994 08:49:60 GMT", 22.0),
        ("Sun, 06 Nov 1994 08:40:00 GMT", 0.0),
        ("1994-11-06T08:50:07Z", 30.0),
        ("1994-11-06t09:50:07.500+01:00", 30.5),
        ("1994-11-06T08:50:07", 30.0),
    ],
)
def test_retry_after_is_read_in_every_form(value: str, wait_s: float) -> None:
    assert PLAIN.wait_s([(b"Retry-After", value.encode())], WALL) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    "value",
    [
        "", "soon", "nan", "inf", "-inf", "1e3", "0x10", "1_000", "1,5", "12 34", "9" * 15, "9" * 400, "٣",
        "1792152901", "Sun, 31 Feb 1994 08:50:07 GMT", "Sun, 06 Foo 1994 08:50:07 GMT", "Sun, 06 Nov 0000 08:50:07 GMT",
        "Sun, 06 Nov 1994 25:50:07 GMT", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59x",
    ],
)  # fmt: skip
def test_what_is_no_sane_wait_is_ignored(value: str) -> None:
    assert PLAIN.wait_s([(b"Retry-After", value.encode())], WALL) is None


def test_an_instant_in_the_distant_past_is_no_wait() -> None:
    assert PLAIN.wait_s([(b"Retry-After", b"0001-01-01T00:00:00+23:59")], WALL) == 0.0


def test_a_year_of_two_digits_that_seems_far_ahead_is_long_past() -> None:
    in_2027 = 1_800_000_000.0

    assert PLAIN.wait_s([(b"Retry-After", b"Sunday, 06-Nov-94 08:50:07 GMT")], in_2027) == 0.0
    assert PLAIN.wait_s([(b"Retry-After", b"Friday, 15-Jan-27 08:00:30 GMT")], in_2027) == 30.0


@pytest.mark.parametrize(
    ("unit", "value", "wait_s"),
    [
        ("seconds", "2.25", 2.25),
        ("milliseconds", "1500", 1.5),
        ("epoch", "784111787.5", 10.5),
        ("epoch", "784111000", 0.0),
        ("epoch_ms", "784111787500", 10.5),
        ("date", "Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("rfc3339", "1994-11-06T08:50:07Z", 30.0),
        ("duration", "6m0s", 360.0),
        ("duration", "20ms", 0.02),
        ("duration", "1h2m3.5s", 3723.5),
        ("duration", "1d", 86400.0),
        ("duration", "soon", None),
        ("duration", "5", None),
        ("seconds", "Sun, 06 Nov 1994 08:50:07 GMT", None),
        ("date", "30", None),
    ],
)
def test_a_profile_says_how_its_reset_is_to_be_read(unit: str, value: str, wait_s: float | None) -> None:
    assert wait_of(unit, value) == (None if wait_s is None else pytest.approx(wait_s))


def test_the_longest_hint_counts() -> None:
    headers = [(b"Retry-After", b"1"), (b"retry-after", b"7"), (b"Retry-After-Ms", b"2500")]

    assert PLAIN.wait_s(headers, WALL) == 7.0


def test_a_bad_hint_does_not_hide_a_good_one() -> None:
    assert PLAIN.wait_s([(b"Retry-After", b"tomorrow"), (b"Retry-After-Ms", b"2500")], WALL) == 2.5


def test_without_a_hint_there_is_no_wait() -> None:
    assert PLAIN.wait_s([(b"Content-Type", b"text/plain")], WALL) is None


def test_a_reset_counts_only_while_its_dimension_is_used_up() -> None:
    hints = Hints(Profile(resets=(Reset(header="x-reset", unit="seconds", when_zero="x-remaining"),)))

    assert hints.wait_s([(b"X-Reset", b"60"), (b"X-Remaining", b"0")], WALL) == 60.0
    assert hints.wait_s([(b"X-Reset", b"60"), (b"X-Remaining", b"3")], WALL) is None
    assert hints.wait_s([(b"X-Reset", b"60"), (b"X-Remaining", b"\xff")], WALL) is None
    assert hints.wait_s([(b"X-Reset", b"60")], WALL) is None


@pytest.mark.parametrize(
    ("value", "said"), [(b"true", True), (b"FALSE ", False), (b"yes", None), (b"", None), (b"\xff", None)]
)
def test_the_provider_may_say_what_it_thinks_of_a_retry(value: bytes, said: bool | None) -> None:
    hints = Hints(Profile(should_retry="Stripe-Should-Retry"))

    assert hints.should_retry([(b"Stripe-Should-Retry", value)]) is said


def test_a_header_that_the_profile_does_not_name_says_nothing_about_retries() -> None:
    assert PLAIN.should_retry([(b"Stripe-Should-Retry", b"true")]) is None
    assert Hints(Profile(should_retry="x-should-retry")).should_retry([]) is None


@pytest.mark.parametrize(
    ("renewal", "wall", "seconds"),
    [
        (None, WALL_MIDNIGHT + 100.0, 60.0),
        ("utc_day", WALL_MIDNIGHT, 86400.0),
        ("utc_day", WALL_MIDNIGHT + 86399.5, 0.5),
        ("utc_month", WALL_MIDNIGHT, 17 * 86400.0),
        ("utc_month", WALL_MIDNIGHT + 16 * 86400.0 + 1.0, 86399.0),
    ],
)
def test_a_quota_comes_back_when_the_profile_says_or_perhaps_in_a_minute(
    renewal: Literal["utc_day", "utc_month"] | None, wall: float, seconds: float
) -> None:
    assert Hints(Profile(renewal=renewal)).renewal_s(wall) == pytest.approx(seconds)
