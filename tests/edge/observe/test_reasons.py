from proxy.core.errors import CircuitOpen, ConnectFailed, Misused, RateLimited, ResponseTimeout
from proxy.core.outcome import Outcome
from proxy.edge.observe.reasons import FAILURES, outcome_of, outcomes_by_reason, reasons_under
from tests.support.ended import make_ended


def test_every_reason_of_the_tree_is_listed_with_its_outcome() -> None:
    outcomes = outcomes_by_reason()
    assert outcomes[RateLimited.reason] == "ignored"
    assert outcomes[CircuitOpen.reason] == "ignored"
    assert outcomes[ResponseTimeout.reason] == "failed"
    assert outcomes[ConnectFailed.reason] == "failed"
    assert "" not in outcomes


def test_a_branch_of_the_tree_has_its_own_reasons_and_no_others() -> None:
    callers = reasons_under(Misused)
    assert {"bad_request", "caller_gone", "unknown_account", "body_too_large"} <= callers
    assert {"circuit_open", "response_timeout"}.isdisjoint(callers)


def test_what_was_owed_and_did_not_come_is_a_failure() -> None:
    assert {"connect_failed", "response_timeout", "deadline_exceeded"} <= FAILURES
    assert {"", "circuit_open", "rate_limited", "caller_gone"}.isdisjoint(FAILURES)


def test_the_verdict_on_the_reply_counts_and_where_there_is_none_the_errors_own() -> None:
    overdue = "deadline_exceeded"
    assert outcome_of(make_ended(404, outcome=Outcome.REFUSED)) == "refused"
    assert outcome_of(make_ended(504, source="sidecar", reason=overdue, outcome=Outcome.FAILED)) == "failed"
    assert outcome_of(make_ended(504, source="sidecar", reason=overdue)) == "ignored"
    assert outcome_of(make_ended(502, source="network", reason="connect_failed")) == "failed"
    assert outcome_of(make_ended(None, reason="caller_gone")) == "ignored"
