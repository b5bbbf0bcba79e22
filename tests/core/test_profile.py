"""A profile is data about a provider: sensible when empty, strict when filled, and fixed once read."""

from typing import Any

import pytest
from pydantic import ValidationError

from proxy.core.profile import Idempotency, Operation, Profile, Reset, Rule, SecretPattern, Urls


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


def test_a_further_host_is_a_name_with_or_without_a_port() -> None:
    hosts = ["Files.example.com", "files.example.com:8443", "a_b", "10.0.0.1"]
    assert Urls.model_validate({"hosts": hosts}).hosts == (
        "files.example.com",
        "files.example.com:8443",
        "a_b",
        "10.0.0.1",
    )


@pytest.mark.parametrize(
    "host", ["https://a.example", "a.example/", "*.a.example", "{shop}.a.example", "a..b", "-a", "a:", "a b", "a\n", ""]
)
def test_rubbish_for_a_further_host_is_an_error_at_its_own_key(host: str) -> None:
    with pytest.raises(ValidationError, match="write it without scheme and path") as caught:
        Profile.model_validate({"urls": {"hosts": ["a.example", host]}})
    assert [details["loc"] for details in caught.value.errors()] == [("urls", "hosts", 1)]


def test_a_profile_stays_as_it_was_read() -> None:
    profile = Profile(title="Stripe")
    with pytest.raises(ValidationError):
        profile.title = "Other"  # type: ignore[misc]  # that it can't be set is the point
    assert profile.title == "Stripe"


def test_a_profile_that_is_written_out_reads_back() -> None:
    profile = Profile(title="Acme", exhausted=(Rule(status=402),), strip_headers=("x-key",))
    assert Profile.model_validate_json(profile.model_dump_json()) == profile


@pytest.mark.parametrize(
    "text", ["/v1/charges", "/v1/charges/{id}", "/v1/{a}/x/{b_c}", "/v1/*", "/*", "/services/{secret}"]
)
def test_a_template_is_a_path_with_named_segments_and_maybe_any_rest(text: str) -> None:
    assert Operation(path=text).path == text


@pytest.mark.parametrize("text", ["", "v1", "/v1/*/x", "/v1/{}", "/v1/{Id}", "/v1/{id", "/v1/id}"])
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="not a path template"):
        Operation(path=text)


@pytest.mark.parametrize(
    "path", ["error.code", "errors[].type", "[].properties.token", "a[].b[].c", "ok", "links[].href"]
)
def test_a_place_in_a_document_is_a_chain_of_names_and_lists(path: str) -> None:
    assert Rule(status=200, field=path).field == path


@pytest.mark.parametrize("path", ["", "a..b", "a[0]", "a[", ".a.", "a[]b"])
def test_what_is_no_place_in_a_document_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        Rule(status=200, field=path)


def test_a_rule_asks_one_thing() -> None:
    assert not Rule(status=403, header="x").reads_body
    assert Rule(status=200, field="ok", equals="false").reads_body
    assert Rule(status=200, body="SlowDown").reads_body
    with pytest.raises(ValidationError, match="one of header, field and body"):
        Rule(status=403, header="x", field="error")
    with pytest.raises(ValidationError, match="equals or matches"):
        Rule(status=403, header="x", equals="0", matches="0")
