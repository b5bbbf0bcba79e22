import pytest

from proxy.core.events import CallEnded
from proxy.core.outcome import Outcome
from proxy.core.record import Attempt
from proxy.edge.observe.owed import WHYS, Why, exclusion
from tests.support.ended import make_ended


def attempt(duration_s: float, cause: str = "timeout") -> Attempt:
    return Attempt(0.0, duration_s, None, cause, 0.0, 0.0, 0.0, 0.0, 0.0)


def late(*earlier: Attempt, outcome: Outcome = Outcome.IGNORED) -> CallEnded:
    """Build a call whose deadline passed after half a second."""
    event = make_ended(504, source="sidecar", reason="deadline_exceeded", outcome=outcome, attempts=len(earlier) + 1)
    event.call.record.earlier = earlier
    return event


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Outcome.FAILED, None),
        (Outcome.REFUSED, "caller"),
        (Outcome.THROTTLED, "throttled"),
        (Outcome.UNAUTHORISED, "credential"),
        (Outcome.EXHAUSTED, "quota"),
        (Outcome.IGNORED, "ignored"),
    ],
)
def test_the_one_verdict_says_whose_doing_an_answer_was(outcome: Outcome, why: Why | None) -> None:
    assert exclusion(make_ended(503, outcome=outcome)) == why
    assert exclusion(make_ended(503, outcome=outcome, error="caller_gone")) == why


@pytest.mark.parametrize("reason", ["connect_failed", "connection_dropped", "response_timeout", "tls_failed"])
def test_the_network_counts_as_the_provider(reason: str) -> None:
    assert exclusion(make_ended(502, source="network", reason=reason, outcome=Outcome.FAILED)) is None


@pytest.mark.parametrize(
    ("error", "why"),
    [
        ("connection_dropped", None),
        ("response_timeout", None),
        ("upstream_protocol_error", None),
        ("caller_gone", "ignored"),
        ("deadline_exceeded", "sidecar"),
        ("internal_error", "sidecar"),
    ],
)
def test_of_a_body_that_was_cut_it_counts_who_cut_it(error: str, why: Why | None) -> None:
    assert exclusion(make_ended(200, error=error)) == why


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("circuit_open", "sidecar"),
        ("rate_limited", "sidecar"),
        ("bulkhead_full", "sidecar"),
        ("provider_paused", "sidecar"),
        ("credential_missing", "sidecar"),
        ("token_unavailable", "sidecar"),
        ("quota_exhausted", "sidecar"),
        ("destination_refused", "sidecar"),
        ("internal_error", "sidecar"),
        ("bad_request", "caller"),
        ("unknown_account", "caller"),
        ("body_too_large", "caller"),
        ("caller_gone", "ignored"),
        ("request_timeout", "ignored"),
        ("", "ignored"),
    ],
)
def test_what_tidegate_answers_itself_is_never_the_providers(reason: str, why: Why) -> None:
    assert exclusion(make_ended(503, source="sidecar", reason=reason, outcome=Outcome.IGNORED)) == why


def test_a_caller_that_left_before_any_answer_is_ignored() -> None:
    assert exclusion(make_ended(None, source="sidecar", reason="caller_gone")) == "ignored"


def test_a_deadline_that_the_provider_let_pass_is_the_providers() -> None:
    assert exclusion(late(outcome=Outcome.FAILED)) is None


def test_a_deadline_that_left_the_provider_no_fair_time_is_not_the_providers() -> None:
    assert exclusion(late()) == "sidecar"


def test_a_deadline_that_failed_attempts_used_up_is_the_providers() -> None:
    assert exclusion(late(attempt(0.2), attempt(0.1, "503"))) is None
    assert exclusion(late(attempt(0.2))) == "sidecar"


@pytest.mark.parametrize("cause", ["throttled", "unauthorised"])
def test_a_deadline_that_passed_while_we_were_to_slow_down_is_not_the_providers(cause: str) -> None:
    assert exclusion(late(attempt(0.4, cause))) == "sidecar"


def test_the_reasons_are_the_documented_ones() -> None:
    assert WHYS == ("sidecar", "caller", "throttled", "credential", "quota", "ignored")
