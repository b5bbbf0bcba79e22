"""What an answer says about the provider."""

import pytest

from proxy.core.call import Headers
from proxy.core.outcome import Outcome
from proxy.core.profile import Profile, Rule
from proxy.sansio.classify import MOST_BYTES, Classifier, condition

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


def test_a_rule_may_look_for_a_value_in_a_json_body() -> None:
    classify = Classifier(Profile(throttled=(Rule(status=200, field="error", equals="RateLimited"),)))

    assert classify(200, NONE, b'{"ok": false, "error": "ratelimited"}') is Outcome.THROTTLED
    assert classify(200, NONE, b'{"ok": false, "error": "channel_not_found"}') is Outcome.OK
    assert classify(200, NONE, b'{"ok": false, "\\u0065rror": "ratelimited"}') is Outcome.THROTTLED
    assert classify(404, NONE, b'{"error": "ratelimited"}') is Outcome.REFUSED


def test_a_rule_may_look_at_every_element_of_a_list() -> None:
    classify = Classifier(Profile(throttled=(Rule(status=200, field="errors[].extensions.code", equals="THROTTLED"),)))

    assert classify(200, NONE, b'{"errors":[{"message":"a"},{"extensions":{"code":"THROTTLED"}}]}') is Outcome.THROTTLED
    assert classify(200, NONE, b'{"data":{"code":"THROTTLED"}}') is Outcome.OK


def test_a_rule_for_a_field_without_a_value_needs_it_only_to_be_there() -> None:
    classify = Classifier(Profile(exhausted=(Rule(status=200, field="quotaLimited"),)))

    assert classify(200, NONE, b'{"quotaLimited":[]}') is Outcome.EXHAUSTED
    assert classify(200, NONE, b'{"flags":{}}') is Outcome.OK


@pytest.mark.parametrize(("value", "written"), [(b"false", "False"), (b"20429", "20429"), (b"null", "null")])
def test_a_value_that_is_no_text_is_compared_as_it_is_written(value: bytes, written: str) -> None:
    classify = Classifier(Profile(failed=(Rule(status=200, field="code", equals=written),)))

    assert classify(200, NONE, b'{"code":%b}' % value) is Outcome.FAILED
    assert classify(200, NONE, b'{"code":"another"}') is Outcome.OK


def test_a_value_nested_deeper_than_can_be_written_meets_no_value() -> None:
    classify = Classifier(Profile(failed=(Rule(status=200, field="error", matches="."),)))

    assert classify(200, NONE, b'{"error":[[1]]}') is Outcome.FAILED
    assert classify(200, NONE, b'{"error":%b%b}' % (b"[" * 900, b"]" * 900)) is Outcome.OK


def test_a_rule_may_search_a_field_and_a_header_for_a_pattern() -> None:
    classify = Classifier(
        Profile(
            exhausted=(Rule(status=429, field="error.message", matches="quota|billing"),),
            failed=(Rule(status=200, header="x-amz-function-error", matches="(?i)^unhandled$"),),
        )
    )

    assert classify(429, NONE, b'{"error":{"message":"check your billing plan"}}') is Outcome.EXHAUSTED
    assert classify(429, NONE, b'{"error":{"message":"slow down"}}') is Outcome.THROTTLED
    assert classify(200, [(b"X-Amz-Function-Error", b"Unhandled")]) is Outcome.FAILED
    assert classify(200, [(b"X-Amz-Function-Error", b"no")]) is Outcome.OK


def test_a_rule_may_search_a_body_that_is_no_json_in_its_beginning() -> None:
    classify = Classifier(Profile(throttled=(Rule(status=503, body="<Code>SlowDown</Code>"),)))

    assert classify(503, NONE, b"<Error><Code>SlowDown</Code></Error>") is Outcome.THROTTLED
    assert classify(503, NONE, b"<Error><Code>InternalError</Code></Error>") is Outcome.FAILED
    assert classify(503, NONE, b" " * MOST_BYTES + b"<Code>SlowDown</Code>") is Outcome.FAILED


@pytest.mark.parametrize("body", [b"", b'{"error":"ratelimited"', b'{"error":"ratelimited"} x', b'["error"]', b"\xff"])
def test_a_body_that_is_cut_or_no_json_meets_no_rule_for_a_field(body: bytes) -> None:
    classify = Classifier(Profile(throttled=(Rule(status=200, field="error", equals="ratelimited"),)))

    assert classify(200, NONE, body) is Outcome.OK


def test_a_profile_may_say_that_an_error_of_the_provider_is_the_caller_s_own_and_the_other_way_round() -> None:
    classify = Classifier(
        Profile(refused=(Rule(status=500, field="type", equals="bad_input"),), failed=(Rule(status=409),))
    )

    assert classify(500, NONE, b'{"type":"bad_input"}') is Outcome.REFUSED
    assert classify(500, NONE, b'{"type":"oops"}') is Outcome.FAILED
    assert classify(409, NONE) is Outcome.FAILED


def test_the_gravest_verdict_comes_first() -> None:
    rule = (Rule(status=403),)
    names = ("exhausted", "throttled", "unauthorised", "refused", "failed")
    for place, name in enumerate(names):
        profile = Profile(**dict.fromkeys(names[place:], rule))
        assert Classifier(profile)(403, NONE).value == name


def test_only_statuses_that_a_rule_judges_by_the_body_need_it() -> None:
    profile = Profile(
        throttled=(Rule(status=429), Rule(status=200, field="error")), exhausted=(Rule(status=503, body="Slow"),)
    )
    classify = Classifier(profile)

    assert [status for status in range(100, 600) if classify.reads_body(status)] == [200, 503]
    assert not Classifier(Profile()).reads_body(429)


def test_the_rule_that_judged_an_answer_is_named_and_a_plain_status_is_not() -> None:
    classify = Classifier(
        Profile(
            failed=(Rule(status=200, field="ok", equals="false"), Rule(status=200, body="<fault>")),
            throttled=(Rule(status=403, header="x-left", matches="^0$"), Rule(status=429)),
        )
    )
    assert classify.why(200, NONE, b'{"ok": false}') == "failed: 200 with ok = false"
    assert classify.why(200, NONE, b"<fault>") == "failed: 200 with /<fault>/ in its body"
    assert classify.why(403, [(b"X-Left", b"0")]) == "throttled: 403 with header x-left like /^0$/"
    assert Classifier(Profile(throttled=(Rule(status=529),))).why(529, NONE) == "throttled: 529"
    assert [classify.why(status, NONE) for status in (200, 401, 404, 429, 500, 999)] == [""] * 6


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule(status=429), "429"),
        (Rule(status=403, header="X-Left", equals="0"), "403 with header x-left = 0"),
        (Rule(status=200, field="ok", equals="false"), "200 with ok = false"),
        (Rule(status=400, field="error.code", matches="a|b"), "400 with error.code like /a|b/"),
        (Rule(status=400, field="error"), "400 with error"),
        (Rule(status=503, body="<Code>SlowDown"), "503 with /<Code>SlowDown/ in its body"),
    ],
)
def test_a_rule_says_which_answers_it_means(rule: Rule, text: str) -> None:
    assert condition(rule) == text
