"""What an answer says about the provider."""

import pytest

from proxy.core.call import Headers
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile, Rule
from proxy.sansio.classify import Classifier

NONE: Headers = []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.OK),
        (204, Outcome.OK),
        (304, Outcome.OK),
        (400, Outcome.REFUSED),
        (401, Outcome.UNAUTHORISED),
        (402, Outcome.REFUSED),
        (403, Outcome.REFUSED),
        (404, Outcome.REFUSED),
        (408, Outcome.REFUSED),
        (409, Outcome.REFUSED),
        (422, Outcome.REFUSED),
        (429, Outcome.THROTTLED),
        (499, Outcome.REFUSED),
        (500, Outcome.FAILED),
        (501, Outcome.REFUSED),
        (502, Outcome.FAILED),
        (503, Outcome.FAILED),
        (504, Outcome.FAILED),
        (505, Outcome.REFUSED),
        (529, Outcome.FAILED),
        (599, Outcome.FAILED),
        (999, Outcome.FAILED),
    ],
)
def test_a_plain_profile_judges_by_the_status(status: int, outcome: Outcome) -> None:
    assert Classifier(Profile())(status, NONE) is outcome


def test_a_profile_may_throttle_with_another_status() -> None:
    classify = Classifier(Profile(throttled=(Rule(status=429), Rule(status=529))))

    assert classify(529, NONE) is Outcome.THROTTLED
    assert classify(503, NONE) is Outcome.FAILED


def test_a_rule_with_a_header_needs_that_value_in_any_case_of_letters() -> None:
    classify = Classifier(Profile(throttled=(Rule(status=403, header="X-RateLimit-Remaining", equals="0"),)))

    assert classify(403, [(b"X-RATELIMIT-remaining", b" 0 ")]) is Outcome.THROTTLED
    assert classify(403, [(b"X-RateLimit-Remaining", b"12")]) is Outcome.REFUSED
    assert classify(403, NONE) is Outcome.REFUSED


def test_a_rule_without_a_value_needs_the_header_only() -> None:
    classify = Classifier(Profile(throttled=(Rule(status=403, header="retry-after"),)))

    assert classify(403, [(b"Retry-After", b"")]) is Outcome.THROTTLED
    assert classify(403, NONE) is Outcome.REFUSED


def test_an_exhausted_quota_is_told_apart_from_a_throttled_call_of_the_same_status() -> None:
    classify = Classifier(Profile(exhausted=(Rule(status=429, header="x-limit", equals="Monthly"),)))

    assert classify(429, [(b"x-limit", b"monthly")]) is Outcome.EXHAUSTED
    assert classify(429, NONE) is Outcome.THROTTLED


def test_a_rule_may_find_a_throttled_call_under_a_status_below_400() -> None:
    classify = Classifier(Profile(throttled=(Rule(status=200, header="x-throttled"),)))

    assert classify(200, [(b"X-Throttled", b"1")]) is Outcome.THROTTLED
    assert classify(200, NONE) is Outcome.OK


def test_a_profile_may_name_another_status_for_a_refused_credential() -> None:
    classify = Classifier(Profile(unauthorised=(Rule(status=403, header="www-authenticate"),)))

    assert classify(403, [(b"WWW-Authenticate", b"Bearer")]) is Outcome.UNAUTHORISED
    assert classify(401, NONE) is Outcome.REFUSED
