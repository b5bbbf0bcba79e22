"""A profile is data about a provider: sensible when empty, strict when filled, and fixed once read."""

from typing import Any

import pytest
from pydantic import ValidationError

from proxy.core.profile import Idempotency, Profile, Reset, Rule, SecretPattern


def test_a_provider_of_which_nothing_is_known_gets_the_plain_meaning_of_http() -> None:
    profile = Profile()
    assert profile.throttled == (Rule(status=429),)
    assert profile.unauthorised == (Rule(status=401),)
    assert profile.exhausted == ()
    assert profile.resets == (Reset(header="retry-after"), Reset(header="retry-after-ms", unit="milliseconds"))
    assert profile.idempotency == Idempotency(header="idempotency-key", methods=("POST", "PATCH"))


def test_a_provider_of_which_nothing_is_known_has_nothing_of_its_own() -> None:
    profile = Profile()
    assert (profile.dot_segments, profile.should_retry, profile.request_id) == (False, None, None)
    assert (profile.strip_headers, profile.strip_query, profile.secret_patterns) == ((), (), ())
    assert (profile.sdk.python, profile.sdk.node, profile.sdk.env) == (None, None, None)


def test_a_reset_without_a_unit_is_told_from_its_value() -> None:
    assert Reset(header="retry-after").unit == "auto"
    assert Reset(header="retry-after").when_zero is None


def test_names_of_headers_are_kept_in_lower_case_and_parameters_as_they_are() -> None:
    read: dict[str, Any] = {
        "strip_headers": ["X-Api-Key"],
        "strip_query": ["Access_Token"],
        "throttled": [{"status": 403, "header": "X-RateLimit-Remaining", "equals": "None"}],
        "should_retry": "Stripe-Should-Retry",
        "resets": [{"header": "X-Reset", "when_zero": "X-Left"}],
        "idempotency": {"header": "Idempotency-Key"},
        "request_id": "Request-Id",
    }
    profile = Profile.model_validate(read)
    assert (profile.strip_headers, profile.strip_query) == (("x-api-key",), ("Access_Token",))
    assert profile.throttled == (Rule(status=403, header="x-ratelimit-remaining", equals="None"),)
    assert (profile.should_retry, profile.request_id) == ("stripe-should-retry", "request-id")
    assert (profile.resets[0].header, profile.resets[0].when_zero) == ("x-reset", "x-left")
    assert profile.idempotency.header == "idempotency-key"


def test_a_provider_may_know_no_idempotency_key() -> None:
    assert Profile.model_validate({"idempotency": {"header": None}}).idempotency.header is None


def test_a_pattern_is_searched_in_bytes() -> None:
    pattern = SecretPattern(pattern="sk_[a-z]{4}", contains=("sk_",)).compiled()
    found = pattern.search(b"key=sk_test!")
    assert found is not None
    assert found[0] == b"sk_test"


def test_a_pattern_may_hold_more_than_ascii() -> None:
    assert SecretPattern(pattern="schlüssel_\\d+", contains=("_",)).compiled().search("schlüssel_1".encode())


@pytest.mark.parametrize(
    "pattern",
    ["(", "[a-", "*", "(?P<x>a)(?P<x>b)", "(?u)a", "a{99999999999}", "(" * 5000 + ")" * 5000, "\ud800"],
    ids=["group", "set", "star", "twice", "flag", "repeat", "deep", "surrogate"],
)
def test_a_broken_pattern_is_an_error_of_the_configuration_at_its_own_key(pattern: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Profile.model_validate({"secret_patterns": [{"pattern": pattern, "contains": ["a"]}]})
    assert [details["loc"] for details in caught.value.errors()] == [("secret_patterns", 0, "pattern")]


def test_a_broken_pattern_is_told_in_plain_words() -> None:
    with pytest.raises(ValidationError, match="not a regular expression: unterminated character set at position 0"):
        SecretPattern(pattern="[a-", contains=("a",))


@pytest.mark.parametrize(
    "read",
    [
        {"throttled": [{"status": 99}]},
        {"throttled": [{"status": 600}]},
        {"throttled": [{"header": "x-left"}]},
        {"resets": [{"header": "x-reset", "unit": "minutes"}]},
        {"resets": [{"unit": "seconds"}]},
        {"secret_patterns": [{"pattern": "a", "contains": []}]},
        {"secret_patterns": [{"pattern": "a"}]},
        {"builtin": "mock"},
        {"request_id": 7},
        {"sdk": {"ruby": "x"}},
        {"retry_unprocessed": True},
    ],
)
def test_what_no_profile_can_mean_is_refused(read: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Profile.model_validate(read)


@pytest.mark.parametrize("status", [100, 599])
def test_a_rule_takes_every_status_there_is(status: int) -> None:
    assert Rule(status=status).status == status


def test_a_profile_stays_as_it_was_read() -> None:
    profile = Profile(title="Stripe")
    with pytest.raises(ValidationError):
        profile.title = "Other"  # type: ignore[misc]  # that it can't be set is the point
    assert profile.title == "Stripe"


def test_a_profile_that_is_written_out_reads_back() -> None:
    profile = Profile(title="Acme", exhausted=(Rule(status=402),), strip_headers=("x-key",))
    assert Profile.model_validate_json(profile.model_dump_json()) == profile
